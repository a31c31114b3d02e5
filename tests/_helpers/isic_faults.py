"""Faults between ISIC's server and the cache, in many variants each.

``python tests/_helpers/isic_faults.py`` prints the table; test_isic_faults.py checks it.
A trial downloads the 2016 training set from the faulty server into an empty folder. Either the
result equals the served images and labels, or an error states the reason. In both cases, files
under final names are complete, nothing is written outside the folder, and a second call, with a
correct server, succeeds.
"""

import contextlib
import io
import struct
import tempfile
import time
import zipfile
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from unittest import mock

import isic_server
from isic_server import ids, pictures, targets, zipped

from melanet.datasets import fetch_isic2016
from melanet.utils import _download

STEM = "ISBI2016_ISIC_Part3_Training_Data"
ARCHIVE, LABELS = f"{STEM}.zip", "ISBI2016_ISIC_Part3_Training_GroundTruth.csv"
WHOLE = isic_server.build(2016)[ARCHIVE]
TABLE = isic_server.build(2016)[LABELS]
IDS, PICTURES = ids(2016, "train"), pictures(2016, "train")
MEMBERS = [(f"{STEM}/{name}.jpg", data) for name, data in zip(IDS, PICTURES)]
FETCHED, REJECTED, EITHER = "fetched", "rejected", "fetched or rejected"
_FOREVER = 99


@dataclass
class Fault:
    """Cases (plans for files) and their expected outcome."""

    cases: list
    expected: str
    reason: str = ""
    tries: int = 4


def spread(data, count):
    """Return `count` positions in data, including both ends."""
    return sorted({round(k * (len(data) - 1) / (count - 1)) for k in range(count)})


def flipped(data, k):
    return data[:k] + bytes([data[k] ^ 0x55]) + data[k + 1 :]


def always(step, file=ARCHIVE):
    return {file: [step] * _FOREVER}


def member(name, data=b"x", mode=0o100644, flags=0):
    """Return a zip file of all images and one more member."""
    file = io.BytesIO(zipped(MEMBERS))
    info = zipfile.ZipInfo(name)
    info.filename = info.orig_filename = name  # unchanged, including backslashes
    info.create_system, info.external_attr = 3, mode << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(info, data)
    data = bytearray(file.getvalue())
    if flags:
        place = data.rindex(b"PK\x01\x02")
        struct.pack_into("<H", data, place + 8, flags)
    return bytes(data)


def bomb(size):
    members = [*MEMBERS[:-1], (MEMBERS[-1][0], b"\xff\xd8" + bytes(size))]
    return zipped(members, compression=zipfile.ZIP_DEFLATED)


OUTSIDE = [
    "../ISIC_2016000.jpg",
    "../../etc/passwd",
    f"{STEM}/../../ISIC_2016001.jpg",
    "/tmp/ISIC_2016000.jpg",
    "//host/share/x.jpg",
    "\\ISIC_2016000.jpg",
    "..\\ISIC_2016000.jpg",
    f"{STEM}\\..\\..\\ISIC_2016000.jpg",
    "C:\\ISIC_2016000.jpg",
    "C:ISIC_2016000.jpg",
]
LINKS = [
    member(f"{STEM}/link.jpg", b"/etc/passwd", 0o120777),
    member(f"{STEM}/pipe.jpg", b"", 0o010644),
    member(f"{STEM}/device.jpg", b"", 0o020644),
    member(f"{STEM}/secret.jpg", b"x", flags=1),
]
UNEXPECTED = [
    member(f"{STEM}/ISIC_9999999.jpg", PICTURES[0]),
    member(f"other/{IDS[0]}.jpg", PICTURES[0]),
    member(f"{STEM}/{IDS[0]}.JPEG", PICTURES[0]),
    zipped(MEMBERS[1:]),
    zipped(MEMBERS[:-1]),
    zipped([]),
    isic_server.build(2016)["ISBI2016_ISIC_Part3_Test_Data.zip"],
]
UNREADABLE = [
    zipped([*MEMBERS[:-1], (MEMBERS[-1][0], data)])
    for data in (b"", b"MZ an executable", b"<html>", PICTURES[0][:-40], PICTURES[0][:200])
]

FAULTS = {
    "archive cut off, at any byte": Fault(
        [{ARCHIVE: [{"cut": k}]} for k in spread(WHOLE, 100)], FETCHED
    ),
    "labels cut off, at any byte": Fault(
        [{LABELS: [{"cut": k}]} for k in spread(TABLE, 110)], FETCHED
    ),
    "cut off twice, then Range ignored": Fault(
        [{ARCHIVE: [{"cut": k}, {"cut": k // 2 + 1}, {"no_range": 1}]} for k in spread(WHOLE, 20)],
        FETCHED,
    ),
    "cut off at both servers, without retries": Fault(
        [{ARCHIVE: [{"cut": k}] * 2} for k in spread(WHOLE, 20)],
        REJECTED,
        "IncompleteRead|Timeout",
        tries=1,
    ),
    "Content-Length too large, once": Fault(
        [{ARCHIVE: [{"lie": k}]} for k in (1, 2, 100, 10**4, 10**6)], FETCHED
    ),
    "Content-Length too large, always": Fault(
        [always({"lie": k}, file) for k in (1, 100, 10**6) for file in (ARCHIVE, LABELS)],
        REJECTED,
        "IncompleteRead",
    ),
    "Content-Length too small, always": Fault(
        [always({"lie": -k}) for k in (1, 2, 100, 2000)]
        + [always({"lie": -k}, LABELS) for k in (5, 20, 100)],
        REJECTED,
        "not a complete zip|labelled images|has labels other|not a table",
    ),
    "404 at the first server": Fault(
        [{f"new/2016/{file}": [{"status": s}]} for file in (ARCHIVE, LABELS) for s in (403, 404)],
        FETCHED,
    ),
    "404 at both servers": Fault(
        [always({"status": s}, file) for file in (ARCHIVE, LABELS) for s in (403, 404, 410)],
        REJECTED,
        "the server answers 4",
    ),
    "500, 502, 503 or 504, up to three times": Fault(
        [
            {ARCHIVE: [{"status": s}] * n, LABELS: [{"status": s}] * n}
            for s in (500, 502, 503, 504)
            for n in (1, 2, 3)
        ],
        FETCHED,
    ),
    "500 always": Fault(
        [always({"status": 500}, file) for file in (ARCHIVE, LABELS)], REJECTED, "answers 500"
    ),
    "429 with Retry-After, or without": Fault(
        [
            {ARCHIVE: [{"status": 429, **again}]}
            for again in ({}, {"retry_after": "0"}, {"retry_after": "1"}, {"retry_after": "soon"})
        ]
        + [{ARCHIVE: [{"status": 429, "retry_after": formatdate(time.time(), usegmt=True)}]}],
        FETCHED,
    ),
    "429 with a Retry-After of an hour": Fault(
        [always({"status": 429, "retry_after": "3600"})], REJECTED, "a pause of 3600 seconds"
    ),
    "archive with one byte changed, anywhere": Fault(
        [always({"body": flipped(WHOLE, k)}) for k in spread(WHOLE, 100)],
        EITHER,
        "not a complete zip|not hold the expected|unreadable images",
    ),
    "archive truncated on the server": Fault(
        [always({"body": WHOLE[:k]}) for k in spread(WHOLE, 40)[:-1]],
        REJECTED,
        "not a complete zip",
    ),
    "web page, or an empty body, instead of a file": Fault(
        [
            always({"body": body}, file)
            for body in (b"<html>Log in</html>", b"")
            for file in (ARCHIVE, LABELS)
        ],
        REJECTED,
        "not a complete zip|not a table of ISIC|is empty",
    ),
    "corrupt on the first server, correct on the second": Fault(
        [{f"new/2016/{ARCHIVE}": [{"body": flipped(WHOLE, k)}]} for k in spread(WHOLE, 20)],
        FETCHED,
    ),
    "member outside the folder": Fault(
        [always({"body": member(name)}) for name in OUTSIDE], REJECTED, "is outside the folder"
    ),
    "link, pipe, device, encrypted member": Fault(
        [always({"body": body}) for body in LINKS], REJECTED, "is a link|is encrypted"
    ),
    "missing, duplicate or unlabelled image": Fault(
        [always({"body": body}) for body in UNEXPECTED],
        REJECTED,
        "missing|twice|no label",
    ),
    "incomplete or invalid image": Fault(
        [always({"body": body}) for body in UNREADABLE], REJECTED, r"ISIC_2016009\.jpg \("
    ),
    "zip bomb": Fault(
        [always({"body": bomb(size)}) for size in (4 << 20, 20 << 20, 70 << 20)],
        REJECTED,
        "expands to",
    ),
    "slow: a packet of 500 bytes every 10 ms": Fault(
        [{ARCHIVE: [{"packet": 500, "between": 0.01}]}], FETCHED
    ),
    "stall longer than the timeout, once": Fault(
        [{file: [{"wait": 1.5}]} for file in (ARCHIVE, LABELS)], FETCHED
    ),
}


def fetch(server, home):
    """Download; return whether the result equals the served files, and the error or None."""
    try:
        data = fetch_isic2016(data_home=home)
    except (OSError, ValueError) as error:
        return False, error
    bodies = [Path(path).read_bytes() for path in data.paths]
    equal = bodies == PICTURES and data.ids.tolist() == IDS
    return equal and data.target.tolist() == targets(2016), None


def names_in(folder):
    return {path.name for path in folder.rglob("*") if not path.name.startswith(".")}


def final_names_are_whole(home):
    """Return whether all files under final names are complete."""
    folder = home / "isic2016"
    unpacked = folder / STEM
    archive, labels = folder / ARCHIVE, folder / LABELS
    return (
        (not labels.exists() or labels.read_bytes() == TABLE)
        and (not archive.exists() or zipfile.is_zipfile(archive))
        and (not unpacked.exists() or names_in(unpacked) == {f"{name}.jpg" for name in IDS})
    )


def try_case(server, plan, tries, parent):
    """Return whether a trial succeeded, its error, and a list of violations."""
    server.plans = {
        file if "/" in file else f"2016/{file}": list(steps) for file, steps in plan.items()
    }
    home = parent / "home"
    with mock.patch.object(_download, "_TRIES", tries):
        equal, error = fetch(server, home)
    wrong = []
    if error is None and not equal:
        wrong.append("data differ from the served files")
    if not final_names_are_whole(home):
        wrong.append("incomplete file under a final name")
    if names_in(parent) - names_in(home) != {"home"}:
        wrong.append("file outside the folder")
    server.plans = {}
    if fetch(server, home) != (True, None):
        wrong.append("the next call failed")
    return equal, error, wrong


def try_fault(server, fault):
    """Return the number of successful trials, the errors, and all violations."""
    fetched, errors, wrong = 0, [], []
    for plan in fault.cases:
        with tempfile.TemporaryDirectory() as parent:
            equal, error, found = try_case(server, plan, fault.tries, Path(parent))
        fetched += equal
        errors += [] if error is None else [error]
        wrong += found
    return fetched, errors, wrong


@contextlib.contextmanager
def server():
    with (
        isic_server.running() as running,
        mock.patch.object(_download, "_TIMEOUT", (5, 1.0)),
    ):
        yield running


def main():
    with server() as running:
        print(f"{'fault':<56}{'trials':>7}{'fetched':>9}{'rejected':>10}{'violations':>12}")
        for name, fault in FAULTS.items():
            fetched, errors, wrong = try_fault(running, fault)
            print(
                f"{name:<56}{len(fault.cases):>7}{fetched:>9}{len(errors):>10}{len(wrong):>12}",
                flush=True,
            )


if __name__ == "__main__":
    main()
