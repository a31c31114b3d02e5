"""The server that runs the web application on a local address."""

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn

from melanet.classifier import load_classifier
from melanet.gan import CycleGAN
from melanet.serving._app import create_app
from melanet.utils._typing import PathLike

_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    model: PathLike,
    translator: PathLike | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    labels: Mapping[Any, str] | Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
) -> None:
    """Serve a classifier over HTTP until interrupted. Not for diagnosis.

    The address is printed before the models are compiled; the server answers after that.

    Parameters
    ----------
    model : str or path-like
        "isic2016", or a file of a classifier; see `melanet.classifier.load_classifier`.
    translator : str, path-like or None, default=None
        "isic2016", or a file of a CycleGAN; see `melanet.CycleGAN.from_pretrained`.
    host : str, default="127.0.0.1"
        Address to listen on; the default is reachable from this machine only.
    port : int, default=8000
        Port to listen on; 0 takes a free one.
    labels : dict, sequence of str or None, default=None
        Names of the classes; see `melanet.serving.create_app`.
    value_range : (float, float) or None, default=None
        Values of black and white in grey uploads of more than 8 bits.

    Raises
    ------
    ImportError
        Without the extra ``melanet[app]``.
    OSError
        If a model cannot be read, or the port is taken.
    ValueError
        If the models or labels do not fit.

    Examples
    --------
    >>> from melanet.serving import serve
    >>> serve("classifier.melanet", port=8000)  # doctest: +SKIP
    """
    with _listen(host, port) as listener:  # fails before a model is downloaded
        classifier = load_classifier(model)
        gan = None if translator is None else CycleGAN.from_pretrained(translator)
        hosts = [*_LOCAL, "[::1]", host] if _is_local(host) else None
        app = create_app(
            classifier,
            translator=gan,
            labels=labels,
            value_range=value_range,
            allowed_hosts=hosts,
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on")
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        print(
            f"http://{shown}:{port} serves {model}. Not for diagnosis. Press Ctrl-C to stop.",
            flush=True,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is explicit, because asyncio disables Nagle's algorithm only then; with it,
    # every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise OSError(
            f"The server cannot listen on host={host!r} and port={port} ({error}). Choose another "
            "port; 0 takes a free one"
        ) from error
    return listener


def _is_local(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL
