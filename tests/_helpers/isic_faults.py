"""What can go wrong between ISIC's server and the cache: each fault, tried many times.

``python tests/isic_faults.py`` prints the table; test_isic_faults.py asserts that each holds.
A trial fetches the 2016 training set through the faulty server into an empty folder. Either all
pictures and labels come out as they were served, or there is an error that says why; nothing is
then under a final name that is not whole, nothing is outside the folder, and a second call,
through a sound server, succeeds.
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
FETCHED, REFUSED, EITHER = "fetched", "refused", "fetched or refused"
_FOREVER = 99


@dataclass
class Fault:
    """Cases (a plan for each file) and what must come of them."""

    cases: list
    expected: str
    reason: str = ""
    tries: int = 4


def spread(data, count):
    """Return `count` places in data, the ends included."""
    return sorted({round(k * (len(data) - 1) / (count - 1)) for k in range(count)})


def flipped(data, k):
    return data[:k] + bytes([data[k] ^ 0x55]) + data[k + 1 :]


def always(step, file=ARCHIVE):
    return {file: [step] * _FOREVER}


def member(name, data=b"x", mode=0o100644, flags=0):
    """Return a zip of all pictures and one more member."""
    file = io.BytesIO(zipped(MEMBERS))
    info = zipfile.ZipInfo(name)
    info.filename = info.orig_filename = name  # as it is, backslashes and all
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


CLIMBING = [
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
UNPROMISED = [
    member(f"{STEM}/ISIC_9999999.jpg", PICTURES[0]),
    member(f"other/{IDS[0]}.jpg", PICTURES[0]),
    member(f"{STEM}/{IDS[0]}.JPEG", PICTURES[0]),
    zipped(MEMBERS[1:]),
    zipped(MEMBERS[:-1]),
    zipped([]),
    isic_server.build(2016)["ISBI2016_ISIC_Part3_Test_Data.zip"],
]
NO_PICTURES = [
    zipped([*MEMBERS[:-1], (MEMBERS[-1][0], data)])
    for data in (b"", b"MZ an executable", b"<html>", PICTURES[0][:-40], PICTURES[0][:200])
]

FAULTS = {
    "line cut in the archive, at any byte": Fault(
        [{ARCHIVE: [{"cut": k}]} for k in spread(WHOLE, 100)], FETCHED
    ),
    "line cut in the labels, at any byte": Fault(
        [{LABELS: [{"cut": k}]} for k in spread(TABLE, 110)], FETCHED
    ),
    "line cut twice, then Range ignored": Fault(
        [{ARCHIVE: [{"cut": k}, {"cut": k // 2 + 1}, {"no_range": 1}]} for k in spread(WHOLE, 20)],
        FETCHED,
    ),
    "line cut at both addresses, no second try": Fault(
        [{ARCHIVE: [{"cut": k}] * 2} for k in spread(WHOLE, 20)],
        REFUSED,
        "IncompleteRead|Timeout",
        tries=1,
    ),
    "length told too long, once": Fault(
        [{ARCHIVE: [{"lie": k}]} for k in (1, 2, 100, 10**4, 10**6)], FETCHED
    ),
    "length told too long, always": Fault(
        [always({"lie": k}, file) for k in (1, 100, 10**6) for file in (ARCHIVE, LABELS)],
        REFUSED,
        "IncompleteRead",
    ),
    "length told too short, always": Fault(
        [always({"lie": -k}) for k in (1, 2, 100, 2000)]
        + [always({"lie": -k}, LABELS) for k in (5, 20, 100)],
        REFUSED,
        "no whole zip|labelled images|neither|no table",
    ),
    "404 at the first address": Fault(
        [{f"new/2016/{file}": [{"status": s}]} for file in (ARCHIVE, LABELS) for s in (403, 404)],
        FETCHED,
    ),
    "404 at both addresses": Fault(
        [always({"status": s}, file) for file in (ARCHIVE, LABELS) for s in (403, 404, 410)],
        REFUSED,
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
        [always({"status": 500}, file) for file in (ARCHIVE, LABELS)], REFUSED, "answers 500"
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
        [always({"status": 429, "retry_after": "3600"})], REFUSED, "a pause of 3600 seconds"
    ),
    "archive with one byte changed, anywhere": Fault(
        [always({"body": flipped(WHOLE, k)}) for k in spread(WHOLE, 100)],
        EITHER,
        "no whole zip|not what it promised|no whole picture",
    ),
    "archive cut short by its server": Fault(
        [always({"body": WHOLE[:k]}) for k in spread(WHOLE, 40)[:-1]], REFUSED, "no whole zip"
    ),
    "web page, or nothing, in place of a file": Fault(
        [
            always({"body": body}, file)
            for body in (b"<html>Log in</html>", b"")
            for file in (ARCHIVE, LABELS)
        ],
        REFUSED,
        "no whole zip|no table of ISIC|is empty",
    ),
    "corrupt at the first address, sound at the second": Fault(
        [{f"new/2016/{ARCHIVE}": [{"body": flipped(WHOLE, k)}]} for k in spread(WHOLE, 20)],
        FETCHED,
    ),
    "member outside the folder": Fault(
        [always({"body": member(name)}) for name in CLIMBING], REFUSED, "leaves the folder"
    ),
    "link, pipe, device, encrypted member": Fault(
        [always({"body": body}) for body in LINKS], REFUSED, "is a link|is encrypted"
    ),
    "picture that is missing, twice there, or has no label": Fault(
        [always({"body": body}) for body in UNPROMISED],
        REFUSED,
        "missing|twice|no label",
    ),
    "member that is no whole picture": Fault(
        [always({"body": body}) for body in NO_PICTURES], REFUSED, r"ISIC_2016009\.jpg \("
    ),
    "zip bomb": Fault(
        [always({"body": bomb(size)}) for size in (4 << 20, 20 << 20, 70 << 20)],
        REFUSED,
        "unpacks to",
    ),
    "slow: a packet of 500 bytes every 10 ms": Fault(
        [{ARCHIVE: [{"packet": 500, "between": 0.01}]}], FETCHED
    ),
    "stalls longer than the time-out, once": Fault(
        [{file: [{"wait": 1.5}]} for file in (ARCHIVE, LABELS)], FETCHED
    ),
}


def fetch(server, home):
    """Fetch; return whether all came out as served, and the error, None if there was none."""
    try:
        data = fetch_isic2016(data_home=home)
    except (OSError, ValueError) as error:
        return False, error
    bodies = [Path(path).read_bytes() for path in data.paths]
    sound = bodies == PICTURES and data.ids.tolist() == IDS
    return sound and data.target.tolist() == targets(2016), None


def names_in(folder):
    return {path.name for path in folder.rglob("*") if not path.name.startswith(".")}


def final_names_are_whole(home):
    """Tell whether what has its final name is what it should be."""
    folder = home / "isic2016"
    unpacked = folder / STEM
    archive, labels = folder / ARCHIVE, folder / LABELS
    return (
        (not labels.exists() or labels.read_bytes() == TABLE)
        and (not archive.exists() or zipfile.is_zipfile(archive))
        and (not unpacked.exists() or names_in(unpacked) == {f"{name}.jpg" for name in IDS})
    )


def try_case(server, plan, tries, parent):
    """Return whether a trial fetched, its error, and what was wrong afterwards."""
    server.plans = {
        file if "/" in file else f"2016/{file}": list(steps) for file, steps in plan.items()
    }
    home = parent / "home"
    with mock.patch.object(_download, "_TRIES", tries):
        sound, error = fetch(server, home)
    wrong = []
    if error is None and not sound:
        wrong.append("other data than were served")
    if not final_names_are_whole(home):
        wrong.append("something half under its final name")
    if names_in(parent) - names_in(home) != {"home"}:
        wrong.append("something outside the folder")
    server.plans = {}
    if fetch(server, home) != (True, None):
        wrong.append("the next call did not heal it")
    return sound, error, wrong


def try_fault(server, fault):
    """Return the number of trials that fetched, the errors, and all that was wrong."""
    fetched, errors, wrong = 0, [], []
    for plan in fault.cases:
        with tempfile.TemporaryDirectory() as parent:
            sound, error, found = try_case(server, plan, fault.tries, Path(parent))
        fetched += sound
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
        print(f"{'fault':<56}{'tried':>6}{'fetched':>9}{'refused':>9}{'wrong':>7}")
        for name, fault in FAULTS.items():
            fetched, errors, wrong = try_fault(running, fault)
            print(
                f"{name:<56}{len(fault.cases):>6}{fetched:>9}{len(errors):>9}{len(wrong):>7}",
                flush=True,
            )


if __name__ == "__main__":
    main()
