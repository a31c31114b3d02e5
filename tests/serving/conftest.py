"""A real server on loopback with a small classifier and translator."""

import io
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from melanet import CycleGAN, MelaNet
from melanet.datasets import make_lesions


@pytest.fixture(scope="session")
def model():
    X, y = make_lesions(60, weights=(0.5, 0.5), image_size=16, difficulty=0, random_state=0)
    return MelaNet(backbone="small", input_size=16, epochs=3, random_state=0).fit(
        X, np.array(["benign", "malignant"])[y]
    )


@pytest.fixture(scope="session")
def translator():
    return CycleGAN.from_shape((16, 16, 3), filters=4, discriminator_filters=4)


@contextmanager
def serving(app):
    """Yield the address of a server of `app` in a thread of this process."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def url(model, translator):
    from melanet.serving import create_app

    with serving(create_app(model, translator=translator)) as address:
        yield address


@pytest.fixture(scope="session")
def serve():
    return serving


@pytest.fixture(scope="session")
def pictures():
    """Lesions at the network's input size, so that nothing is resized."""
    return make_lesions(40, image_size=16, random_state=1)[0]


@pytest.fixture(scope="session")
def encoded():
    """Return a function from pixels to the bytes of an image file."""

    def encode(pixels, kind="PNG", **options):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    return encode
