"""The endpoint: the released one's answer, and more, from one model that is loaded once."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from melanet import NOT_FOR_DIAGNOSIS
from melanet._version import __version__
from melanet.images import _transform
from melanet.serving._api_docs import reference_page
from melanet.serving._batcher import Batcher, Busy
from melanet.serving._images import data_url, draw_examples, draw_overlay
from melanet.serving._service import Served
from melanet.serving._uploads import Limits, Refused, decode, uploaded

_SHOWN = 384  # longer side of the pictures that are sent back
_FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def create_app(model, *, translator=None, labels=None, limits=None, allowed_hosts=None):
    """Make the web application: the endpoint, its page and its reference.

    Run it in one process: each would load its own model. **Not for diagnosis**; every answer with
    a prediction says so.

    Parameters
    ----------
    model : MelaNet
        Fitted.
    translator : CycleGAN or None, default=None
        Shown beside the prediction: what its A -> B makes of the picture.
    labels : sequence of str or None, default=None
        Names of the classes in the order of ``model.classes_``. By default their own; of the
        classes 0 and 1, and of benign and malignant, "Non-melanoma" and "Melanoma", as the
        released endpoint has them.
    limits : melanet.serving.Limits or None, default=None
        Of sizes, numbers and times; None takes the defaults.
    allowed_hosts : sequence of str or None, default=None
        Values of the Host header that are answered, which keeps other web sites from reading a
        server on one's own machine by DNS rebinding. None answers all.

    Returns
    -------
    fastapi.FastAPI

    Raises
    ------
    ValueError
        If `model`, `translator` and `labels` do not fit.
    ImportError
        Without the extra ``melanet[app]``.

    Examples
    --------
    >>> from melanet import MelaNet
    >>> from melanet.datasets import make_lesions
    >>> from melanet.serving import create_app
    >>> model = MelaNet(backbone="small", input_size=16, epochs=1, random_state=0)
    >>> app = create_app(model.fit(*make_lesions(20, image_size=16, random_state=0)))
    >>> import uvicorn
    >>> uvicorn.run(app, port=8000)  # doctest: +SKIP
    """
    api = _Api(Served(model, translator, labels), limits or Limits())
    app = FastAPI(
        title="melanet",
        version=__version__,
        description=NOT_FOR_DIAGNOSIS,
        docs_url=None,
        redoc_url=None,
        lifespan=api.lifespan,
    )
    app.get("/health", summary="What is served, and whether it is up")(api.health)
    app.post(
        "/api/predict",
        summary="Probabilities of the classes for one picture",
        openapi_extra=_form("image", 1),
        responses=_REFUSALS,
    )(api.predict)
    app.post(
        "/api/predict/batch",
        summary=f"The same for up to {api.limits.max_files} pictures",
        openapi_extra=_form("images", api.limits.max_files),
        responses=_REFUSALS,
    )(api.predict_batch)
    app.get("/api/examples", summary="Addresses of drawn example pictures")(api.examples)
    app.get(
        "/api/examples/{number}",
        summary="A drawn example picture",
        responses={200: {"content": {"image/png": {}}}},
        response_class=Response,
    )(api.example)
    for path in _FILES:
        app.get(path, include_in_schema=False)(_file(path))
    app.get("/docs", include_in_schema=False)(lambda: HTMLResponse(reference_page(app.openapi())))
    app.add_exception_handler(Refused, lambda _, e: _refusal(e.status, e.sentence, e.retry_after))
    app.add_exception_handler(HTTPException, _plain_refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, lambda *_: _refusal(400, "The client left."))
    app.add_exception_handler(Exception, lambda *_: _refusal(500, "The server failed; see its log"))
    app.add_middleware(_Headers)
    if allowed_hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))
    return app


class _Api:
    """The handlers, and what they share: the networks' thread and the decoders'."""

    def __init__(self, served, limits):
        self.served, self.limits = served, limits
        self.arriving = 0

    @asynccontextmanager
    async def lifespan(self, app):
        """Compile before the first request is answered, and end the threads at the end."""
        self.batcher = Batcher(self.served.functions, self.limits.max_pending)
        self.decoders = ThreadPoolExecutor(os.cpu_count() or 1, "melanet-pictures")
        await self._aside(self.served.warm_up)
        self.pictures = await self._aside(draw_examples)
        try:
            yield
        finally:
            self.batcher.close()
            self.decoders.shutdown()

    async def health(self):
        return {
            "status": "ok",
            "version": __version__,
            "labels": self.served.labels,
            "translator": self.served.translator is not None,
            "pending": self.batcher.pending,
            "notice": NOT_FOR_DIAGNOSIS,
        }

    async def predict(self, request: Request, overlay: bool = False, translation: bool = False):
        """Answer as the released endpoint, with a notice.

        `overlay` adds a Grad-CAM heat map over the picture, for the label that `overlay_label`
        names, and `translation` the picture before and after the translation; all are PNGs as
        data URLs.
        """
        if translation and self.served.translator is None:
            raise Refused(
                400, "No translator is served: start the server with --translator, or ask without."
            )
        async with self._uploaded(request, "image", 1) as files:
            with self._room(1 + overlay + translation):
                # In turn: they share the file.
                answer = {"success": True, **await self._predict(files[0].file, overlay)}
                if translation:
                    answer |= await self._translate(files[0].file)
        return answer | {"notice": NOT_FOR_DIAGNOSIS}

    async def predict_batch(self, request: Request):
        """Answer for each picture of the field `images`, in their order.

        One that cannot be used has `success` false and an `error` in place of `predictions`.
        """
        async with self._uploaded(request, "images", self.limits.max_files) as files:
            with self._room(len(files)):
                results = await asyncio.gather(*(self._one_of_many(file.file) for file in files))
        return {"success": True, "results": results, "notice": NOT_FOR_DIAGNOSIS}

    async def examples(self):
        return {
            "examples": [
                {"url": f"/api/examples/{i}", "label": label}
                for i, (label, _) in enumerate(self.pictures)
            ],
            "about": "Drawn by melanet.datasets.make_lesions; no photographs.",
        }

    async def example(self, number: int):
        if not 0 <= number < len(self.pictures):
            raise Refused(404, f"There are the examples 0 to {len(self.pictures) - 1}.")
        return Response(self.pictures[number][1], media_type="image/png")

    async def _one_of_many(self, file):
        try:
            return {"success": True, **await self._predict(file, False)}
        except Refused as error:
            return {"success": False, "error": error.sentence}

    async def _predict(self, file, overlay):
        sizes = (self.served.size, _SHOWN) if overlay else (self.served.size,)
        pictures = await self._aside(decode, file, sizes, self.limits)
        sample = self.served.sample(pictures[0])
        jobs = [self.batcher.submit("predict", sample)]
        if overlay:
            jobs.append(self.batcher.submit("explain", sample))
        results = [await asyncio.wrap_future(job) for job in jobs]
        answer = {"predictions": self.served.predictions(results[0])}
        if overlay:
            answer["overlay"] = await self._aside(draw_overlay, pictures[1], results[1])
            answer["overlay_label"] = self.served.labels[int(np.argmax(results[0]))]
        return answer

    async def _translate(self, file):
        size = self.served.translator.sample_shape[:2]
        (picture,) = await self._aside(decode, file, (size,), self.limits)
        before = self.served.translated_sample(picture)
        after = await asyncio.wrap_future(self.batcher.submit("translate", before))
        shown = _transform.to_rgb(np.stack([before, after]).clip(-1, 1))
        before, after = [await self._aside(data_url, pixels) for pixels in shown]
        return {"translation": {"before": before, "after": after}}

    async def _aside(self, function, *arguments):
        """Run a function in a decoder's thread: the event loop stays free."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.decoders, function, *arguments)

    @asynccontextmanager
    async def _uploaded(self, request, field, most):
        if self.arriving >= self.limits.max_uploads:
            raise Refused(429, "Too many requests are arriving. Try again in a moment.", 2)
        self.arriving += 1
        here = uploaded(request, field, most, self.limits)
        try:
            files = await here.__aenter__()
        finally:
            self.arriving -= 1
        try:
            yield files
        finally:
            await here.__aexit__(None, None, None)

    @contextmanager
    def _room(self, n):
        if n > self.limits.max_pending:
            raise Refused(413, f"At most {self.limits.max_pending} pictures can wait at a time.")
        try:
            with self.batcher.room(n):
                yield
        except Busy as error:
            raise Refused(
                429, "The server is busy; your picture was not looked at. Try again in a moment.", 1
            ) from error


class _Headers:
    """Add headers to every answer: nothing from elsewhere is loaded, framed, sniffed or kept."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_more(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self.app(scope, receive, send_more if scope["type"] == "http" else send)


def _refusal(status, sentence, retry_after=None):
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"success": False, "error": sentence}, status, headers)


def _plain_refusal(request, error):
    sentences = {
        404: f"There is nothing at {request.url.path[:200]}; /docs says what there is.",
        405: f"{request.url.path[:200]} does not take {request.method}.",
    }
    return _refusal(error.status_code, sentences.get(error.status_code, str(error.detail)))


def _invalid(request, error):
    first = error.errors()[0]
    return _refusal(422, f"{first['loc'][-1]!r} cannot be used: {first['msg']}.")


def _file(path):
    name, kind = _FILES[path]
    body = (Path(__file__).parent / "page" / name).read_bytes()

    async def answer():
        return Response(body, media_type=kind)

    return answer


def _form(field, most):
    """Describe the form of a request for OpenAPI."""
    file = {"type": "string", "format": "binary"}
    value = file if most == 1 else {"type": "array", "items": file, "maxItems": most}
    schema = {"type": "object", "required": [field], "properties": {field: value}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


_REFUSALS = {
    400: {"description": "No such form, no picture in it, or an empty one"},
    408: {"description": "The request arrived too slowly"},
    413: {"description": "Too many bytes, pixels or pictures"},
    415: {"description": "No form, or no picture"},
    422: {"description": "A damaged or animated picture, or an option that cannot be read"},
    429: {"description": "Busy; Retry-After says when to try again"},
}
