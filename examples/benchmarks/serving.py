"""Requests a second and latencies of the endpoint, beside the released endpoint's way.

Both run under uvicorn on loopback and answer the same requests with the same network. The released
way decodes a picture and calls ``model.predict`` on it, one request at a time. The ways alternate,
so that a change of the machine's speed meets both. Clients and server share the machine.

    python examples/benchmarks/serving.py                      # a small network, 64x64
    python examples/benchmarks/serving.py --backbone vgg16 --size 256 --seconds 20
"""

import argparse
import http.client
import io
import multiprocessing
import os
import threading
import time

import numpy as np
from PIL import Image

from melanet.datasets import make_lesions

BOUNDARY = "----melanet"


def build(backbone, size):
    """Return a fitted MelaNet; its speed does not depend on what it learned."""
    from melanet import MelaNet

    X, y = make_lesions(8, weights=(0.5, 0.5), image_size=size, random_state=0)
    options = {"backbone_weights": None, "epochs": 1, "validation_fraction": 0.5}
    return MelaNet(backbone=backbone, input_size=size, random_state=0, **options).fit(X, y)


def released_app(model):
    """Return an application that predicts as the released endpoint does."""
    from fastapi import FastAPI, File, UploadFile

    network, lock = model.model_, threading.Lock()
    app = FastAPI()

    @app.post("/api/predict")
    def predict(image: UploadFile = File(...)):  # noqa: B008
        picture = Image.open(image.file).convert("RGB").resize(network.input_shape[2:0:-1])
        with lock:
            p = network.predict(np.asarray(picture, "float32")[None] / 255, verbose=0)[0]
        rows = zip(("Non-melanoma", "Melanoma"), p.tolist())
        return {"success": True, "predictions": [{"label": k, "probability": v} for k, v in rows]}

    return app


def run(way, backbone, size, pipe):
    """Serve until the process is ended; the port goes through the pipe."""
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


def body(size):
    """Return a request's body with one picture, and its type."""
    file = io.BytesIO()
    Image.fromarray(make_lesions(1, image_size=size, random_state=1)[0][0]).save(file, "JPEG")
    head = 'Content-Disposition: form-data; name="image"; filename="a.jpg"'
    parts = [f"--{BOUNDARY}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode()]
    return b"".join([*parts, file.getvalue(), f"\r\n--{BOUNDARY}--\r\n".encode()])


def load(port, data, clients, seconds):
    """Let so many clients ask again and again; return the latencies of all, in seconds."""
    latencies, until = [], time.perf_counter() + seconds
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() < until:
            start = time.perf_counter()
            connection.request("POST", "/api/predict", data, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {text[:200]}")
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
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbone", default="small")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32])
    options = parser.parse_args()

    context = multiprocessing.get_context("spawn")
    servers, ports, data = [], {}, body(options.size)
    try:
        for way in ("melanet", "released"):
            ours, theirs = context.Pipe()
            arguments = (way, options.backbone, options.size, theirs)
            server = context.Process(target=run, args=arguments, daemon=True)
            server.start()
            servers.append(server)
            ports[way] = ours.recv()
            load(ports[way], data, 1, 0.1)  # waits until it answers, and is compiled
        print(
            f"{options.backbone}, {options.size}x{options.size}, {os.cpu_count()} processors, "
            f"load average before {os.getloadavg()[0]:.1f}"
        )
        print(f"{'way':>9} {'clients':>7} {'req/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
        for clients in options.clients:
            rates = {}
            found = {way: [] for way in ports}
            for _ in range(options.rounds):
                for way, port in ports.items():
                    found[way].append(load(port, data, clients, options.seconds))
            for way, runs in found.items():
                latencies = np.concatenate([one for one, _ in runs])
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
