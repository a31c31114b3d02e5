import contextlib
import ctypes
import gc
import os
import shutil
import sys
from pathlib import Path

import pytest

# Set before TensorFlow is imported: its start-up notes are no test output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread for each of pytest's workers: more than there are cores wait for one another.
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")


_MUCH = 2048  # MiB of a worker, above which no compiled models are kept for the next module


@pytest.fixture(autouse=True, scope="module")
def little_memory_is_kept():
    """Store no stacks of the models that tests compile, and return freed memory to the system.

    The stacks below a test are deep; glibc does not return small blocks by itself.
    """
    from melanet.utils import clear_compiled_models
    from melanet.utils._keras import short_traces

    with short_traces():
        yield
    if sys.platform == "linux" and "tensorflow" in sys.modules:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        if pages * os.sysconf("SC_PAGE_SIZE") > _MUCH * 2**20:
            clear_compiled_models()
            gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)


_peaks = {}  # MiB of each process that ran tests


def _peak():
    import resource  # not on Windows

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def pytest_sessionfinish(session):
    if sys.platform == "win32":
        return
    if hasattr(session.config, "workeroutput"):  # a worker's own; it is sent to the parent
        session.config.workeroutput["peak"] = _peak()
    elif not getattr(session.config.option, "numprocesses", None):
        _peaks["pytest"] = _peak()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if "peak" in (getattr(node, "workeroutput", None) or {}):  # absent after a crash
        _peaks[node.gateway.id] = node.workeroutput["peak"]


def pytest_terminal_summary(terminalreporter):
    peaks = [f"{name} {_peaks[name]:,} MiB" for name in sorted(_peaks)]
    if peaks:
        terminalreporter.write_line("Peak memory: " + ", ".join(peaks))


@pytest.fixture(scope="module")
def browser():
    """A browser that finds no machine but this one."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("needs a browser: apt-get install chromium")
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    if os.getuid() == 0:
        arguments.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()
