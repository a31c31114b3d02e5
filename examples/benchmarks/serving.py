"""Measure throughput and latency of the endpoint beside the released one.

Both run under uvicorn on loopback and answer the same requests with the same network. The released
endpoint decodes an image and calls ``model.predict`` on it, one request at a time. The two take
turns, so that changes of the machine's speed affect both. Clients and server share the machine.

    python examples/benchmarks/serving.py                      # a small network, 64x64
    python examples/benchmarks/serving.py --backbone vgg16 --size 256 --seconds 20
"""

import argparse
import http.client
import io
import multiprocessing
import os
import tempfile
import threading
import time

import numpy as np
from PIL import Image

from melanet.datasets import make_lesions

BOUNDARY = "----melanet"


def build(backbone, size):
    """Return a MelaNet after one epoch of training, read from its file as by `melanet serve`.

    Its speed does not depend on its weights.
    """
    from melanet import MelaNet

    X, y = make_lesions(8, weights=(0.5, 0.5), image_size=size, random_state=0)
    options = {"backbone_weights": None, "epochs": 1, "validation_fraction": 0.5}
    model = MelaNet(backbone=backbone, input_size=size, random_state=0, **options).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "classifier.melanet")
        model.save(path)
        return MelaNet.load(path)


def released_app(model):
    """Return an application that predicts as the released endpoint does."""
    from fastapi import FastAPI, File, UploadFile

    network, lock = model.model_, threading.Lock()
    app = FastAPI()

    @app.post("/api/predict")
    def predict(image: UploadFile = File(...)):  # noqa: B008
        pixels = Image.open(image.file).convert("RGB").resize(network.input_shape[2:0:-1])
        with lock:
            p = network.predict(np.asarray(pixels, "float32")[None] / 255, verbose=0)[0]
        rows = zip(("Non-melanoma", "Melanoma"), p.tolist())
        return {"success": True, "predictions": [{"label": k, "probability": v} for k, v in rows]}

    return app


def run(way, backbone, size, pipe):
    """Serve until the process is terminated; send the port through the pipe."""
    import socket

    import uvicorn

    from melanet.serving import create_app

    model = build(backbone, size)
    app = create_app(model) if way == "melanet" else released_app(model)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    pipe.send(listener.getsockname()[1])
    config = uvicorn.Config(app, log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def request_body(size):
    """Return a multipart request body with one image."""
    file = io.BytesIO()
    Image.fromarray(make_lesions(1, image_size=size, random_state=1)[0][0]).save(file, "JPEG")
    head = 'Content-Disposition: form-data; name="image"; filename="a.jpg"'
    parts = [f"--{BOUNDARY}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode()]
    return b"".join([*parts, file.getvalue(), f"\r\n--{BOUNDARY}--\r\n".encode()])


def send_requests(port, data, clients, seconds):
    """Send requests from concurrent clients; return the latencies and the duration, in seconds."""
    latencies, until = [], time.perf_counter() + seconds
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() < until:
            start = time.perf_counter()
            connection.request("POST", "/api/predict", data, headers)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {text[:200]}")
            latencies.append(time.perf_counter() - start)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(latencies), time.perf_counter() - start


def main():
    """Print a table of throughput and latency."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbone", default="small")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32])
    options = parser.parse_args()

    context = multiprocessing.get_context("spawn")
    servers, ports, data = [], {}, request_body(options.size)
    try:
        for way in ("melanet", "released"):
            receiver, sender = context.Pipe()
            arguments = (way, options.backbone, options.size, sender)
            server = context.Process(target=run, args=arguments, daemon=True)
            server.start()
            servers.append(server)
            ports[way] = receiver.recv()
            send_requests(ports[way], data, 1, 0.1)  # waits for the start and the compilation
        print(
            f"{options.backbone}, {options.size}x{options.size}, {os.cpu_count()} processors, "
            f"load average before {os.getloadavg()[0]:.1f}"
        )
        print(f"{'way':>9} {'clients':>7} {'req/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
        for clients in options.clients:
            rates = {}
            measured = {way: [] for way in ports}
            for _ in range(options.rounds):
                for way, port in ports.items():
                    result = send_requests(port, data, clients, options.seconds)
                    measured[way].append(result)
            for way, runs in measured.items():
                latencies = np.concatenate([values for values, _ in runs])
                rates[way] = len(latencies) / sum(seconds for _, seconds in runs)
                p50, p95, p99 = 1000 * np.percentile(latencies, (50, 95, 99))
                print(f"{way:>9} {clients:7} {rates[way]:8.1f} {p50:8.1f} {p95:8.1f} {p99:8.1f}")
            print(f"{'ratio':>9} {clients:7} {rates['melanet'] / rates['released']:8.2f}")
        print(f"load average after {os.getloadavg()[0]:.1f}")
    finally:
        for server in servers:
            server.terminate()
            server.join()


if __name__ == "__main__":
    main()
