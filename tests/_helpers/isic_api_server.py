"""Loopback server that answers as the ISIC Archive's API does, with faults on demand.

The archive holds toy lesions. Pages come from ``/api/v2/images/search/``, single images from
``/api/v2/images/<id>/``, and pictures from ``/files/<size>/<id>.jpg`` with a signature that must
be the newest one. ``Server.plans[path]`` lists the faults of a path, one step for each request;
later requests are served correctly.
"""

import contextlib
import functools
import http.server
import json
import re
import time
import urllib.parse
from unittest import mock

import loopback
from isic_server import _picture

from melanet.datasets import _isic_api
from melanet.utils import _download

N = 12
SEARCH = "/api/v2/images/search/"
DIAGNOSES = ("Benign", "Malignant", "Benign", "Indeterminate", "Benign", None)
LICENCES = ("CC-0", "CC-BY", "CC-BY-NC")


@functools.cache
def item(i):
    """Return the API's description of image i, without addresses."""
    diagnosis = DIAGNOSES[i % len(DIAGNOSES)]
    clinical = {
        "diagnosis_1": diagnosis,
        "diagnosis_2": diagnosis and f"{diagnosis} melanocytic proliferations",
        "diagnosis_3": "Melanoma, NOS" if diagnosis == "Malignant" else None,
        "age_approx": 30 + i,
        "sex": "male" if i % 2 else "female",
        "anatom_site_general": "anterior torso",
        "patient_id": f"IP_{i // 4:07}" if i % 3 else None,
        "lesion_id": f"IL_{i // 2:07}",
    }
    return {
        "isic_id": f"ISIC_{i:07}",
        "public": True,
        "copyright_license": LICENCES[i % 3],
        "attribution": f'Hospital {i % 3}, "Ward", Wien',
        "metadata": {
            "acquisition": {"image_type": "dermoscopic", "pixels_x": 32, "pixels_y": 32},
            "clinical": {name: value for name, value in clinical.items() if value is not None},
        },
    }


def picture(i, size="full"):
    return _picture(i, DIAGNOSES[i % len(DIAGNOSES)] == "Malignant", 32 if size == "full" else 16)


class Server(loopback.Server):
    """Server of an archive of `n` images, `page` on a page at most."""

    def __init__(self, n=N, page=5):
        super().__init__(Handler)
        self.page = page
        self.reset(n)

    def reset(self, n=N):
        self.n, self.signature, self.count = n, "first", None
        self.withdrawn, self.plans, self.seen = set(), {}, []
        self.after_pages = None  # called once, before the first picture is served

    def item(self, i):
        files = {
            name: {
                "url": f"{self.url}/files/{size}/{item(i)['isic_id']}.jpg"
                f"?Expires=9&Signature={self.signature}",
                "size": len(picture(i, size)),
            }
            for size, name in _isic_api.SIZES.items()
        }
        return {**item(i), "files": files}

    def matching(self, query, collections):
        """Return the images that a query finds; it knows what the tests ask for."""
        rows = [i for i in range(self.n) if i not in self.withdrawn]
        if names := re.findall(r'diagnosis_\d:"([^"]*)"', query):
            rows = [i for i in rows if any(_has_diagnosis(i, name) for name in names)]
        if sex := re.search(r"sex:(\w+)", query):
            rows = [i for i in rows if item(i)["metadata"]["clinical"]["sex"] == sex[1]]
        if collections:
            rows = [i for i in rows if i % 4 in map(int, collections.split(","))]
        return rows


def _has_diagnosis(i, name):
    clinical = item(i)["metadata"]["clinical"]
    found = [value for key, value in clinical.items() if key.startswith("diagnosis_")]
    return any(v.startswith(name[:-1]) if name.endswith("*") else v == name for v in found)


class Handler(loopback.Quiet, http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(address.query))
        self.server.seen.append((address.path, asked, dict(self.headers)))
        plan = self.server.plans.get(address.path) or []
        step = plan.pop(0) if plan else {}
        time.sleep(step.get("wait", 0))
        if address.path.startswith("/files/") and self.server.after_pages is not None:
            change, self.server.after_pages = self.server.after_pages, None
            change(self.server)
        if "status" in step:
            return self.answer(step["status"], b"", step)
        if "body" in step:
            return self.answer(200, step["body"], step)
        if address.path == SEARCH:
            return self.search(asked, step)
        if found := re.fullmatch(r"/api/v2/images/ISIC_(\d+)/", address.path):
            i = int(found[1])
            if i in self.server.withdrawn:
                return self.answer(404, b'{"detail": "Not Found"}', step)
            return self.answer(200, json.dumps(self.server.item(i)).encode(), step)
        if found := re.fullmatch(r"/files/(full|thumbnail)/ISIC_(\d+)\.jpg", address.path):
            if asked.get("Signature") != self.server.signature:
                return self.answer(403, b"<Error>AccessDenied</Error>", step)
            if int(found[2]) in self.server.withdrawn:
                return self.answer(404, b"", step)
            return self.answer(200, picture(int(found[2]), found[1]), step)
        return self.answer(404, b"", step)

    def search(self, asked, step):
        server = self.server
        if "nonsense" in asked.get("query", ""):
            return self.answer(400, b'{"message": "Could not parse."}', step)
        rows = server.matching(asked.get("query", ""), asked.get("collections"))
        start = step.get("start", int(asked.get("cursor", 0)))
        limit = min(int(asked["limit"]), server.page)
        page = {"next": None, "previous": None}
        if "cursor" not in asked:
            page["count"] = len(rows) if server.count is None else server.count
        page["results"] = [server.item(i) for i in rows[start : start + limit]]
        if start + limit < len(rows):
            following = {**asked, "cursor": step.get("next", start + limit)}
            # Behind a proxy, the address may have another scheme and host.
            page["next"] = f"http://elsewhere.invalid{SEARCH}?{urllib.parse.urlencode(following)}"
        self.answer(200, json.dumps(page).encode(), step)

    def answer(self, status, body, step):
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(begin[1]) if begin and status == 200 else 0
        self.send_response(206 if start else status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if "retry_after" in step:
            self.send_header("Retry-After", step["retry_after"])
        self.send_header("ETag", f'"{len(body)}"')
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][: step.get("cut")])
        self.close_connection = True


@contextlib.contextmanager
def running(n=N, page=5):
    """Run a server in the archive's place, with no pauses between attempts."""
    with loopback.serving(Server(n, page)) as server, contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(_isic_api, "API", f"{server.url}/api/v2"))
        stack.enter_context(mock.patch.object(_download, "_PAUSE", 0.0))
        stack.enter_context(mock.patch.dict("os.environ", {"NO_PROXY": "127.0.0.1"}))
        yield server
