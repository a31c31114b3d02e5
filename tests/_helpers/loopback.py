"""HTTP servers on the loopback interface, each in a thread of its own."""

import contextlib
import functools
import http.server
import threading


class Quiet:
    """Part of a request handler: no log."""

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Server at `url`."""

    daemon_threads = True

    def __init__(self, handler, port=0):
        super().__init__(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # clients that hang up


@contextlib.contextmanager
def serving(server):
    """Serve until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _FolderHandler(Quiet, http.server.SimpleHTTPRequestHandler):
    pass


def serving_folder(folder):
    """Serve the files of a folder until the block ends."""
    return serving(Server(functools.partial(_FolderHandler, directory=str(folder))))
