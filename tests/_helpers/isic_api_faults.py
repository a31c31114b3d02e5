"""Faults between the ISIC Archive and the folder of its images, in many variants each.

``python tests/_helpers/isic_api_faults.py`` prints the table; test_isic_api_faults.py checks it.
A trial fetches all images of the faulty archive into an empty folder. Either the result equals the
archive's pictures and metadata, without those that a warning names, or an error states the reason.
In both cases, files under final names are complete, no file and no message holds a signature, and
a second call, with a correct server, returns all images.
"""

import contextlib
import json
import tempfile
import time
import warnings
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from unittest import mock

import isic_api_server
from isic_api_server import SEARCH, N, item, picture

from melanet.datasets import fetch_isic_archive
from melanet.utils import _download

FETCHED, LEFT_OUT, REJECTED = "fetched", "left out", "rejected"
_FOREVER = 99
IMAGE = 4
PICTURE = f"/files/full/ISIC_{IMAGE:07}.jpg"
ITEM = f"/api/v2/images/ISIC_{IMAGE:07}/"
_SIGNATURES = ("first", "second")


@dataclass
class Fault:
    """Cases (functions that prepare the server) and their expected outcome."""

    cases: list
    expected: str
    reason: str = ""
    warning: str = ""


def plans(**steps):
    """Return a function that gives the server the steps of pages, pictures and items."""
    paths = {"pages": SEARCH, "picture": PICTURE, "item": ITEM}

    def prepare(server):
        server.plans = {
            paths[name]: [dict(step) for step in found] for name, found in steps.items()
        }

    return prepare


def expiring(**steps):
    """As `plans`, and signatures expire before the first picture is fetched."""

    def expire(server):
        server.signature = "second"

    def prepare(server):
        plans(**steps)(server)
        server.after_pages = expire

    return prepare


def having(**values):
    """Return a function that sets attributes of the server."""

    def prepare(server):
        for name, value in values.items():
            setattr(server, name, value)

    return prepare


def withdraw(server, image=IMAGE):
    server.withdrawn = {image}


def hide(server):
    server.plans[ITEM] = [{"body": json.dumps({**server.item(IMAGE), "public": False}).encode()}]
    server.plans[PICTURE] = [{"status": 403}]


def spread(data, count):
    """Return `count` positions in data, including both ends."""
    return sorted({round(k * (len(data) - 1) / (count - 1)) for k in range(count)})


WHOLE = picture(IMAGE)
FAULTS = {
    "page cut off, at any byte": Fault(
        [plans(pages=[{}] * i + [{"cut": k}]) for i in range(3) for k in (0, 1, 50, 700, 1500)],
        FETCHED,
    ),
    "next page overlaps the one before": Fault(
        [plans(pages=[{}, {"start": k}]) for k in (1, 2, 3, 4)], FETCHED
    ),
    "last page is repeated under new addresses": Fault(
        [plans(pages=[{}, {}, *({"start": 10, "next": 90 + k} for k in range(9))])], FETCHED
    ),
    "pages lead back to earlier ones": Fault(
        [
            plans(pages=[{"next": 0}, {"next": 0}, {"next": 0}]),
            plans(pages=[{}, {"next": 5}]),
            plans(pages=[{"start": 0, "next": 100 + k} for k in range(_FOREVER)]),
        ],
        REJECTED,
        "repeats its pages",
    ),
    "count of the first page is another": Fault(
        [having(count=k) for k in (0, 5, 11, 13, 1000)], FETCHED, warning="announced"
    ),
    "no count": Fault([having(count="unknown")], FETCHED),
    "429 with Retry-After, or without": Fault(
        [
            plans(**{where: [{"status": 429, **again}]})
            for where in ("pages", "picture")
            for again in (
                {},
                {"retry_after": "0"},
                {"retry_after": "1"},
                {"retry_after": formatdate(time.time(), usegmt=True)},
            )
        ],
        FETCHED,
    ),
    "429 with a Retry-After of an hour": Fault(
        [
            plans(**{where: [{"status": 429, "retry_after": "3600"}] * _FOREVER})
            for where in ("pages", "picture")
        ],
        REJECTED,
        "a pause of 3600 seconds",
    ),
    "500, 502, 503 or 504, up to three times": Fault(
        [
            plans(**{where: [{"status": status}] * k})
            for where in ("pages", "picture")
            for status in (500, 502, 503, 504)
            for k in (1, 3)
        ],
        FETCHED,
    ),
    "500 always": Fault(
        [plans(**{where: [{"status": 500}] * _FOREVER}) for where in ("pages", "picture")],
        REJECTED,
        "answers 500",
    ),
    "web page, list or other form instead of a page": Fault(
        [
            plans(pages=[{}] * i + [{"body": body}] * _FOREVER)
            for i in (0, 1)
            for body in (
                b"<html>Log in</html>",
                b"",
                b"[]",
                b"{}",
                b'{"results": [{"isic_id": "ISIC_0000001"}]}',
                b'{"results": [3]}',
                json.dumps({"results": [{**item(0), "files": {}}]}).encode(),
            )
        ],
        REJECTED,
        "not answer JSON|without results|does not read",
    ),
    "image named as a path": Fault(
        [
            plans(pages=[{"body": json.dumps({"results": [bad]}).encode()}] * _FOREVER)
            for name in ("../ISIC_0000001", "/etc/passwd", "ISIC_0000001/..", "", "ISIC_1", None)
            for bad in [{**item(0), "isic_id": name, "files": {"full": {"url": "x", "size": 1}}}]
        ],
        REJECTED,
        "names an image",
    ),
    "picture cut off, at any byte": Fault(
        [plans(picture=[{"cut": k}]) for k in spread(WHOLE, 40)], FETCHED
    ),
    "address expired": Fault([expiring()], FETCHED),
    "address expired, new one asked for with 429 or 503": Fault(
        [expiring(item=[{"status": status}] * 2) for status in (429, 503)], FETCHED
    ),
    "address expires while a picture is cut off": Fault(
        [
            plans(picture=[{"cut": k}, {"status": status}])
            for k in spread(WHOLE, 10)
            for status in (400, 401, 403)
        ],
        FETCHED,
    ),
    "new address is refused, too": Fault(
        [plans(picture=[{"status": status}] * _FOREVER) for status in (400, 401, 403)],
        REJECTED,
        "answers 40[013]",
    ),
    "withdrawn between page and download": Fault(
        [
            lambda server: setattr(server, "after_pages", withdraw),
            hide,
            plans(picture=[{"status": 404}] * 2),
            plans(picture=[{"status": 410}] * 2),
        ],
        LEFT_OUT,
        "withdrawn",
    ),
    "picture truncated or a web page on the server": Fault(
        [
            plans(picture=[{"body": body}])
            for body in (WHOLE[:-40], WHOLE[:200], b"", b"<html>Log in</html>")
        ],
        LEFT_OUT,
        "ISIC_0000004.jpg could not be fetched",
    ),
    "stall longer than the timeout, once": Fault(
        [plans(**{where: [{"wait": 0.7}]}) for where in ("pages", "picture")], FETCHED
    ),
}


def signatures_in(home):
    """Return the files that hold a signature."""
    words = [f"Signature={word}".encode() for word in _SIGNATURES]
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path.name for path in files if any(word in path.read_bytes() for word in words)]


def fetch(home):
    """Fetch all images; return the result or None, the error or None, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data, error = fetch_isic_archive(data_home=home), None
        except (OSError, ValueError) as found:
            data, error = None, found
    return data, error, [str(warning.message) for warning in caught]


def differences(data, left_out=()):
    """Return where a result differs from the archive, apart from the images left out."""
    kept = [i for i in range(N) if item(i)["isic_id"] not in left_out]
    wrong = []
    if data.ids.tolist() != [item(i)["isic_id"] for i in kept]:
        wrong.append("other images than the archive's")
    elif [Path(path).read_bytes() for path in data.paths] != [picture(i) for i in kept]:
        wrong.append("other bytes than the archive's")
    if data.lesion_ids.tolist() != [item(i)["metadata"]["clinical"]["lesion_id"] for i in kept]:
        wrong.append("other metadata than the archive's")
    return wrong


def try_case(server, prepare, home):
    """Return the outcome of a trial, its message, its warnings, and a list of violations."""
    server.reset()
    prepare(server)
    data, error, said = fetch(home)
    wrong = []
    if data is not None:
        wrong += differences(data, data.left_out)
        wrong += [f"{name} is left out silently" for name in data.left_out if name not in str(said)]
    outcome = REJECTED if data is None else LEFT_OUT if data.left_out else FETCHED
    wrong += [f"a signature in {name}" for name in signatures_in(home)]
    if "Signature=" in f"{error}{said}":
        wrong.append("a signature in a message")
    for path in home.rglob("*.jpg"):
        if not path.name.startswith(".") and path.read_bytes() != picture(int(path.stem[5:])):
            wrong.append("incomplete file under a final name")
    server.reset()
    again, failed, _ = fetch(home)
    wrong += ["the next call failed"] if failed else differences(again)
    message = str(error) if data is None else str(data.left_out)
    return outcome, message, said, wrong


def try_fault(server, fault):
    """Return outcomes, messages, warnings and violations of all cases."""
    results = []
    for prepare in fault.cases:
        with tempfile.TemporaryDirectory() as home:
            results.append(try_case(server, prepare, Path(home)))
    return results


@contextlib.contextmanager
def server():
    with (
        isic_api_server.running() as running,
        mock.patch.object(_download, "_TIMEOUT", (5, 0.5)),
    ):
        yield running


def main():
    with server() as running:
        words = (FETCHED, LEFT_OUT, REJECTED, "violations")
        print(f"{'fault':<52}{'trials':>7}" + "".join(f"{word:>12}" for word in words))
        for name, fault in FAULTS.items():
            results = try_fault(running, fault)
            counts = [sum(result[0] == word for result in results) for word in words[:3]]
            counts.append(sum(len(result[3]) for result in results))
            print(f"{name:<52}{len(results):>7}" + "".join(f"{n:>12}" for n in counts), flush=True)


if __name__ == "__main__":
    main()
