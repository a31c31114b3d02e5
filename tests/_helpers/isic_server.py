"""Loopback server of small ISIC challenges, with faults on demand.

Files have the names, layouts and label spellings of the published ones; their images are toy
lesions. `Server.plans[file]` lists the faults of a file, one step for each request; later requests
are served correctly. ``python tests/_helpers/isic_server.py`` serves until it is interrupted.
"""

import contextlib
import dataclasses
import functools
import http.server
import io
import re
import threading
import time
import zipfile
import zlib
from unittest import mock

import loopback
from PIL import Image

from melanet.datasets import _isic, _isic_catalogue, make_lesions
from melanet.utils import _download

N = 10  # images in a subset
MALIGNANT = (2, 5, 7)  # of each ten images
_SUBSETS = ("train", "validation", "test", "permissive")
_DIFFERENT = 500  # distinct images in a subset; larger subsets repeat them


def pictures(year, subset, n=N, image_size=32):
    """Return the JPEGs of a subset, with toy melanomas for the malignant labels."""
    classes = list(_isic_catalogue.CHALLENGES[year].classes)
    malignant = classes.index("malignant" if "malignant" in classes else "melanoma")
    first = _DIFFERENT * _SUBSETS.index(subset)
    return [
        _picture(first + i % _DIFFERENT, target == malignant, image_size)
        for i, target in enumerate(targets(year, n))
    ]


@functools.cache
def _picture(seed, malignant, image_size):
    weights = (1 - malignant, malignant)
    X, _ = make_lesions(1, weights=weights, image_size=image_size, random_state=seed)
    file = io.BytesIO()
    Image.fromarray(X[0]).save(file, "JPEG", quality=90)
    return file.getvalue()


def zipped(members, **options):
    """Return a zip file, as bytes, of (name, bytes) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def ids(year, subset, n=N):
    start = 1000 * year + n * _SUBSETS.index(subset)
    suffix = "_downsampled" if year == 2019 else ""
    return [f"ISIC_{start + i:07}" + suffix * (i % 3 == 0) for i in range(n)]


def targets(year, n=N):
    """Return the labels of the images of a year."""
    n_classes = len(_isic_catalogue.CHALLENGES[year].classes)
    return [int(i % 10 in MALIGNANT) if n_classes == 2 else i % n_classes for i in range(n)]


def _one_hot(header, names, columns, extra=""):
    rows = [",".join([name, *column]) + extra for name, column in zip(names, columns)]
    return ("\n".join([header, *rows]) + "\n").encode()


def _files_2016(part, names, target):
    if part == "Training":
        spelled = [("benign", "malignant")[t] for t in target]
    else:
        spelled = [("0.0", "1.0")[t] for t in target]
    table = "".join(f"{name},{word}\r\n" for name, word in zip(names, spelled))
    stem = f"ISBI2016_ISIC_Part3_{part}"
    return {f"{stem}_GroundTruth.csv": table.encode()}, f"{stem}_Data", []


def _files_2017(part, names, target):
    stem = f"ISIC-2017_{part}"
    columns = [(f"{t == 1:.1f}", f"{t == 2:.1f}") for t in target]
    table = _one_hot("image_id,melanoma,seborrheic_keratosis", names, columns)
    ages = "".join(f"{name},{30 + i},female\n" for i, name in enumerate(names))
    beside = [(f"{name}_superpixels.png", b"not to be unpacked") for name in names]
    beside.append((f"{stem}_Data_metadata.csv", f"image_id,age_approximate,sex\n{ages}"))
    return {f"{stem}_Part3_GroundTruth.csv": table}, f"{stem}_Data", beside


def _files_2018(part, names, target):
    stem = f"ISIC2018_Task3_{part}"
    columns = [[f"{t == k:.1f}" for k in range(7)] for t in target]
    table = _one_hot("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC", names, columns)
    folder = f"{stem}_GroundTruth"
    files = {f"{folder}.zip": zipped([(f"{folder}/{folder}.csv", table)])}
    if part == "Training":
        rows = [(f"HAM_{i // 2:07}", "histopathology") for i in range(len(names))]
        header = "image,lesion_id,diagnosis_confirm_type"
        files[f"{stem}_LesionGroupings.csv"] = _one_hot(header, names, rows)
    return files, f"{stem}_Input", [("LICENSE.txt", b"CC-BY-NC"), ("ATTRIBUTION.txt", b"")]


def _files_2019(part, names, target):
    columns = [[f"{t == k:.1f}" for k in range(9)] for t in target]
    header, extra = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK", ""
    if part == "Test":
        header, extra = f"{header},score_weight,validation_weight", ",1.0,0.5"
    rows = [(f"{40 + i}.0", "head", "", "male") for i in range(len(names))]
    stem = f"ISIC_2019_{part}"
    files = {
        f"{stem}_GroundTruth.csv": _one_hot(header, names, columns, extra),
        f"{stem}_Metadata.csv": _one_hot(
            "image,age_approx,anatom_site_general,lesion_id,sex", names, rows
        ),
    }
    return files, f"{stem}_Input", []


def _files_2020(part, names, target):
    rows = [
        (f"IP_{i // 2}", f"IL_{i}", "male", "45.0", "torso", "unknown", *_two_spellings(t))
        for i, t in enumerate(target)
    ]
    header = (
        "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
        "benign_malignant,target"
    )
    table = b"\xef\xbb\xbf" + _one_hot(header, names, rows)
    return {"ISIC_2020_Training_GroundTruth_v2.csv": table}, "ISIC_2020_Training_JPEG", []


def _files_2024(part, names, target):
    # Each image has a patient of its own, or shares one; few have a lesion.
    rows = [
        (f"IP_{i // 3}", f"IL_{i}" if t else "", "60.0", "male", "torso", "3.2", "0.5")
        for i, t in enumerate(target)
    ]
    header = "isic_id,patient_id,lesion_id,age_approx,sex,anatom_site_general,"
    metadata = _one_hot(f"{header}clin_size_long_diam_mm,tbp_lv_A", names, rows)
    stem = f"ISIC_2024_{part}"
    labels = _one_hot("isic_id,malignant", names, [(f"{t:.1f}",) for t in target])
    return {f"{stem}_GroundTruth.csv": labels}, f"{stem}_Input", [("metadata.csv", metadata)]


def _two_spellings(target):
    return ("benign", "malignant")[target], str(target)


_BUILDERS = {
    2016: _files_2016,
    2017: _files_2017,
    2018: _files_2018,
    2019: _files_2019,
    2020: _files_2020,
    2024: _files_2024,
}
_PARTS = {
    "train": "Training",
    "validation": "Validation",
    "test": "Test",
    "permissive": "Permissive_Training",
}


@functools.cache
def build(year, n=N, image_size=32):
    """Return the files of a year, name -> bytes."""
    files = {}
    for subset in _isic_catalogue.CHALLENGES[year].subsets:
        part = "Test_v2" if (year, subset) == (2017, "test") else _PARTS[subset]
        names = ids(year, subset, n)
        tables, stem, beside = _BUILDERS[year](part, names, targets(year, n))
        folder = "train" if year == 2020 else stem
        members = [(f"{folder}/", b"")]
        jpegs = pictures(year, subset, n, image_size)
        members += [(f"{folder}/{name}.jpg", jpeg) for name, jpeg in zip(names, jpegs)]
        members += [(f"{folder}/{name}", data) for name, data in beside]
        files |= tables | {f"{stem}.zip": zipped(members)}
    return files


def small_table(n=N):
    """Return the catalogue with subsets of `n` images and without published hashes."""
    return {
        year: dataclasses.replace(
            row,
            subsets={
                name: dataclasses.replace(part, n_images=n, sha256={})
                for name, part in row.subsets.items()
            },
        )
        for year, row in _isic_catalogue.CHALLENGES.items()
    }


class Server(loopback.Server):
    """Server of the challenges at /<any>/<year>/<file>."""

    def __init__(self, n=N, port=0, image_size=32):
        super().__init__(Handler, port)
        self.mirror = f"{self.url}/mirror"
        self.files = {
            f"{year}/{name}": data
            for year in _isic_catalogue.CHALLENGES
            for name, data in build(year, n, image_size).items()
        }
        self.plans, self.seen = {}, []


class Handler(loopback.Quiet, http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        address, _, file = self.path.lstrip("/").partition("/")
        server.seen.append((address, file, dict(self.headers)))
        plan = server.plans.get(f"{address}/{file}") or server.plans.get(file) or []
        step = plan.pop(0) if plan else {}
        body = step.get("body", server.files.get(file))
        time.sleep(step.get("wait", 0))
        if body is None or "status" in step:
            return self.refuse(step)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and "no_range" not in step else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", f'"{_tag(body)}"')
        self.send_header("Content-Length", str(len(body) - start + step.get("lie", 0)))
        self.end_headers()
        self.send(body[start:][: step.get("cut")], step)
        self.close_connection = True

    def refuse(self, step):
        self.send_response(step.get("status", 404))
        if "retry_after" in step:
            self.send_header("Retry-After", step["retry_after"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, data, step):
        packet = step.get("packet", len(data) or 1)
        for k in range(0, len(data), packet):
            self.wfile.write(data[k : k + packet])
            self.wfile.flush()
            time.sleep(step.get("between", 0))


def _tag(data):
    return zlib.crc32(data)


@contextlib.contextmanager
def running(n=N, **options):
    """Run a server, with a catalogue of the same size and no pauses between attempts."""
    with loopback.serving(Server(n, **options)) as server, contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(_isic_catalogue.CHALLENGES, small_table(n)))
        stack.enter_context(mock.patch.object(_download, "_PAUSE", 0.0))
        addresses = (f"{server.url}/new", f"{server.url}/old")
        stack.enter_context(mock.patch.object(_isic, "ADDRESSES", addresses))
        stack.enter_context(mock.patch.dict("os.environ", {"NO_PROXY": "127.0.0.1"}))
        yield server


if __name__ == "__main__":
    with running() as server, contextlib.suppress(KeyboardInterrupt):
        print(f"{server.mirror}/<year>/<file>, for instance:")
        print("\n".join(f"  {file}, {len(data)} bytes" for file, data in server.files.items()))
        threading.Event().wait()
