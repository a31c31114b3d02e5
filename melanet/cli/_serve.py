"""``melanet serve``: the endpoint and its page, on one's own machine."""

import ipaddress
import socket

_LOCAL = ("127.0.0.1", "localhost", "::1")
_NO_MODEL = (
    "--model must name what to serve: a file that `melanet train-classifier` or MelaNet.save "
    "wrote, a Keras file, or isic2016. Received: none. `melanet demo` leaves a small one behind: "
    "melanet serve --model melanet-demo/classifier.melanet "
    "--translator melanet-demo/translator.keras"
)


def serve(model, translator=None, *, host="127.0.0.1", port=8000, labels=None):
    """Serve a classifier until interrupted.

    Parameters
    ----------
    model : str or path-like
        "isic2016", a file that `melanet.MelaNet.save` wrote, or a Keras file of a classifier.
    translator : str, path-like or None, default=None
        "isic2016", or a file as of `melanet.CycleGAN.from_pretrained`.
    host : str, default="127.0.0.1"
        Address to listen at; the default answers this machine alone.
    port : int, default=8000
        0 takes a free one.
    labels : sequence of str or None, default=None
        As of `melanet.serving.create_app`.

    Raises
    ------
    ImportError
        Without the extra ``melanet[app]``.
    OSError
        If a model cannot be read, or the port is taken.
    ValueError
        If the models or labels do not fit.
    """
    from melanet.serving._app import create_app  # first: says what is not installed

    import uvicorn  # isort: skip

    from melanet.classifier._melanet import load_classifier
    from melanet.gan._cyclegan import CycleGAN

    with _listen(host, port) as listener:  # before a model is fetched for nothing
        classifier = load_classifier(model)
        gan = None if translator is None else CycleGAN.from_pretrained(translator)
        hosts = [*_LOCAL, "[::1]", host] if _is_local(host) else None
        app = create_app(classifier, translator=gan, labels=labels, allowed_hosts=hosts)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on")
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        print(
            f"http://{shown}:{port} serves {model}. Not for diagnosis. Ctrl-C ends it", flush=True
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: otherwise asyncio does not switch Nagle's algorithm off, and each
    # answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise OSError(
            f"The server cannot listen at --host {host} --port {port} ({error}). Choose another "
            "port; 0 takes a free one"
        ) from error
    return listener


def _is_local(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL


def _serve(arguments):
    if arguments.model is None:
        raise ValueError(_NO_MODEL)
    try:
        serve(
            arguments.model,
            arguments.translator,
            host=arguments.host,
            port=arguments.port,
            labels=None if arguments.labels is None else arguments.labels.split(","),
        )
    except ImportError as error:  # the command says it in one line, as other errors
        raise ValueError(str(error)) from error


def _serve_arguments(add):
    add("--model", metavar="PATH", help="what train-classifier wrote, a Keras file, or isic2016")
    add("--translator", metavar="PATH", help="what train-gan wrote, or isic2016")
    add("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    add("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    add("--labels", metavar="A,B", help="names of the classes, in the model's order")


# As the other commands: name, one line, more, what it takes, what it does.
SERVE = (
    "serve",
    "answer over HTTP, with a page: probabilities, heat map, translation",
    "Serve a classifier and a CycleGAN at an address of this machine: a page to try them, and the "
    "released project's endpoint POST /api/predict. Needs melanet[app]. Not for diagnosis.",
    _serve_arguments,
    _serve,
)
