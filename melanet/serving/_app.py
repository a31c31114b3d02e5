"""The web application: the released project's endpoint, extended, its page and its reference."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from melanet import NOT_FOR_DIAGNOSIS
from melanet._version import __version__
from melanet.images import data_url, difference_map, to_rgb
from melanet.serving._api_docs import reference_page
from melanet.serving._batcher import Batcher, QueueFull
from melanet.serving._images import draw_examples, draw_overlay
from melanet.serving._service import ModelService
from melanet.serving._uploads import Limits, RequestError, decode_image, receive_files
from melanet.utils._validation import check_value_range

if TYPE_CHECKING:
    from melanet.classifier import MelaNet
    from melanet.gan import CycleGAN

_MAX_SHOWN = 384  # pixels, the longer side of images in responses
_STATIC_FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_SECURITY_HEADERS = (
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
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Malformed form, missing image, or empty file"},
    408: {"description": "The request arrived too slowly"},
    413: {"description": "Too many bytes, pixels or images"},
    415: {"description": "Not a form, or not an image"},
    422: {"description": "Damaged or animated image, or invalid option"},
    429: {"description": "Busy; Retry-After says when to try again"},
}


def create_app(
    model: "MelaNet",
    *,
    translator: "CycleGAN | None" = None,
    labels: Mapping[Any, str] | Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
    limits: Limits | None = None,
    allowed_hosts: Sequence[str] | None = None,
) -> FastAPI:
    """Create the web application: the endpoint, its page and its reference.

    Run it in one process; each further process would hold its own copy of the model. **Not for
    diagnosis**; every response with a prediction says so.

    Parameters
    ----------
    model : MelaNet
        Fitted classifier.
    translator : CycleGAN or None, default=None
        CycleGAN whose translation of the image from A to B is shown beside the prediction.
    labels : dict, sequence of str or None, default=None
        Names of the classes: a dict of class -> name, matched by the classes' text; or a sequence
        in the order of ``model.classes_``, for a model whose columns have no names. None
        uses the classes themselves; for the published weights, "Non-melanoma" and "Melanoma", as
        in the released endpoint.
    value_range : (float, float) or None, default=None
        Values of black and white in grey uploads of more than 8 bits, such as (0, 4095), as in
        the training; None takes the limits of their bits.
    limits : melanet.serving.Limits or None, default=None
        Limits of sizes, numbers and times; None uses the defaults.
    allowed_hosts : sequence of str or None, default=None
        Values of the Host header to answer, which keeps other web sites from reaching a local
        server by DNS rebinding. None answers all.

    Returns
    -------
    fastapi.FastAPI
        Application for an ASGI server.

    Raises
    ------
    ValueError
        If `model`, `translator` and `labels` do not fit, or `value_range` is not increasing.
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
    service = ModelService(model, translator, labels)
    scale = None if value_range is None else check_value_range(value_range)
    endpoint = _Endpoint(service, limits or Limits(), scale)
    app = FastAPI(
        title="melanet",
        version=__version__,
        description=NOT_FOR_DIAGNOSIS,
        docs_url=None,
        redoc_url=None,
        lifespan=endpoint.lifespan,
    )
    _add_routes(app, endpoint)
    _add_error_handlers(app)
    app.add_middleware(_SecurityHeaders)
    if allowed_hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))
    return app


def _add_routes(app, endpoint):
    max_files = endpoint.limits.max_files
    app.get(
        "/health",
        summary="Status, labels of the model and images in progress",
        response_model=None,
    )(endpoint.health)
    app.post(
        "/api/predict",
        summary="Class probabilities of one image",
        openapi_extra=_form_schema("image", 1),
        responses=_ERRORS,
        response_model=None,
    )(endpoint.predict)
    app.post(
        "/api/predict/batch",
        summary=f"Class probabilities of up to {max_files} images",
        openapi_extra=_form_schema("images", max_files),
        responses=_ERRORS,
        response_model=None,
    )(endpoint.predict_batch)
    app.get("/api/examples", summary="Addresses of drawn example images", response_model=None)(
        endpoint.examples
    )
    app.get(
        "/api/examples/{number}",
        summary="A drawn example image",
        responses={200: {"content": {"image/png": {}}}},
        response_class=Response,
    )(endpoint.example)
    for path in _STATIC_FILES:
        app.get(path, include_in_schema=False)(_static_file(path))
    app.get("/docs", include_in_schema=False)(lambda: HTMLResponse(reference_page(app.openapi())))


def _add_error_handlers(app):
    app.add_exception_handler(
        RequestError,
        lambda _, error: _error_response(error.status, error.message, error.retry_after),
    )
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_option)
    app.add_exception_handler(
        ClientDisconnect, lambda *_: _error_response(400, "The client disconnected.")
    )
    app.add_exception_handler(
        Exception, lambda *_: _error_response(500, "The server failed; see its log.")
    )


class _Endpoint:
    """Request handlers, with the model thread and the decoder threads that they share."""

    def __init__(
        self, service: ModelService, limits: Limits, value_range: tuple[float, float] | None
    ):
        self.service, self.limits, self.value_range = service, limits, value_range
        self.n_receiving = 0  # requests whose bodies are arriving

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the threads and compile the models before the first request."""
        self.batcher = Batcher(self.service.functions, self.limits.max_pending)
        self.decoders = ThreadPoolExecutor(os.cpu_count() or 1, "melanet-images")
        await self._in_decoder(self.service.warm_up)
        self.example_images = await self._in_decoder(draw_examples)
        try:
            yield
        finally:
            self.batcher.close()
            self.decoders.shutdown()

    async def health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "version": __version__,
            "labels": self.service.labels,
            "translator": self.service.translator is not None,
            "pending": self.batcher.pending,
            "notice": NOT_FOR_DIAGNOSIS,
        }

    async def predict(
        self, request: Request, overlay: bool = False, translation: bool = False
    ) -> dict[str, Any]:
        """Respond as the released endpoint does, with a notice added.

        `overlay` adds the image with a Grad-CAM heat map for the class named in `overlay_label`;
        `translation` adds the image before and after the translation, and the edits: red where it
        became brighter and blue where it became darker. All are PNGs as data URLs.
        """
        if translation and self.service.translator is None:
            raise RequestError(
                400,
                "No translator is loaded. Start the server with --translator, or leave "
                "translation out.",
            )
        async with self._receive(request, "image", 1) as files:
            with self._reserve(1 + overlay + translation):
                # One after the other, because they share the file.
                body = {"success": True, **await self._predict(files[0].file, overlay)}
                if translation:
                    body |= await self._translate(files[0].file)
        return body | {"notice": NOT_FOR_DIAGNOSIS}

    async def predict_batch(self, request: Request) -> dict[str, Any]:
        """Respond with a result for each image of the field `images`, in order.

        An image that cannot be used has `success` false and an `error` in place of `predictions`.
        """
        async with self._receive(request, "images", self.limits.max_files) as files:
            with self._reserve(len(files)):
                results = await asyncio.gather(*(self._batch_result(file.file) for file in files))
        return {"success": True, "results": results, "notice": NOT_FOR_DIAGNOSIS}

    async def examples(self) -> dict[str, Any]:
        return {
            "examples": [
                {"url": f"/api/examples/{i}", "label": label}
                for i, (label, _) in enumerate(self.example_images)
            ],
            "about": "Drawn by melanet.datasets.make_lesions, not photographs.",
        }

    async def example(self, number: int) -> Response:
        if not 0 <= number < len(self.example_images):
            raise RequestError(
                404, f"Examples are numbered from 0 to {len(self.example_images) - 1}."
            )
        return Response(self.example_images[number][1], media_type="image/png")

    async def _batch_result(self, file: BinaryIO) -> dict[str, Any]:
        try:
            return {"success": True, **await self._predict(file, overlay=False)}
        except RequestError as error:
            return {"success": False, "error": error.message}

    async def _predict(self, file: BinaryIO, overlay: bool) -> dict[str, Any]:
        size = self.service.input_size
        sizes = (size, _MAX_SHOWN) if overlay else (size,)
        images = await self._decode(file, sizes)
        sample = self.service.classifier_sample(images[0])
        jobs = [self.batcher.submit("predict", sample)]
        if overlay:
            jobs.append(self.batcher.submit("explain", sample))
        probabilities, *heatmaps = [await asyncio.wrap_future(job) for job in jobs]
        body = {"predictions": self.service.format_predictions(probabilities)}
        if overlay:
            body["overlay"] = await self._in_decoder(draw_overlay, images[1], heatmaps[0])
            body["overlay_label"] = self.service.labels[int(np.argmax(probabilities))]
        return body

    async def _translate(self, file: BinaryIO) -> dict[str, Any]:
        assert self.service.translator is not None
        size = self.service.translator.sample_shape[:2]
        (image,) = await self._decode(file, (size,))
        before = self.service.translator_sample(image)
        after = await asyncio.wrap_future(self.batcher.submit("translate", before))
        images = {"before": before[None], "after": after[None]}
        images["edits"] = difference_map(images["before"], images["after"])
        return {
            "translation": {
                name: await self._in_decoder(data_url, to_rgb(image)[0])
                for name, image in images.items()
            }
        }

    async def _decode(self, file, sizes):
        return await self._in_decoder(decode_image, file, sizes, self.limits, self.value_range)

    async def _in_decoder(self, function, *arguments):
        """Run a function in a decoder thread, so that the event loop stays responsive."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.decoders, function, *arguments)

    @asynccontextmanager
    async def _receive(
        self, request: Request, field: str, max_files: int
    ) -> AsyncIterator[list[UploadFile]]:
        """Receive the files of a request, while not too many others are arriving."""
        if self.n_receiving >= self.limits.max_uploads:
            raise RequestError(429, "Too many requests are arriving. Try again in a moment.", 2)
        self.n_receiving += 1
        receiving = receive_files(request, field, max_files, self.limits)
        try:
            files = await receiving.__aenter__()
        finally:
            self.n_receiving -= 1
        try:
            yield files
        finally:
            await receiving.__aexit__(None, None, None)

    @contextmanager
    def _reserve(self, n: int) -> Iterator[None]:
        """Reserve places in the queue."""
        if n > self.limits.max_pending:
            raise RequestError(
                413, f"At most {self.limits.max_pending} images can be queued at a time."
            )
        try:
            with self.batcher.reserve(n):
                yield
        except QueueFull as error:
            raise RequestError(
                429, "The queue is full; the image was not processed. Try again in a moment.", 1
            ) from error


class _SecurityHeaders:
    """Middleware that forbids loading from elsewhere, framing, sniffing and caching."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _error_response(status, message, retry_after=None):
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"success": False, "error": message}, status, headers)


def _http_error(request, error):
    path = request.url.path[:200]
    messages = {
        404: f"There is nothing at {path}; /docs lists the available addresses.",
        405: f"{path} does not take {request.method}.",
    }
    return _error_response(error.status_code, messages.get(error.status_code, str(error.detail)))


def _invalid_option(request, error):
    first = error.errors()[0]
    return _error_response(422, f"{first['loc'][-1]!r} cannot be used: {first['msg']}.")


def _static_file(path: str) -> Callable[[], Awaitable[Response]]:
    """Return a handler that responds with a file of the page."""
    name, media_type = _STATIC_FILES[path]
    content = (Path(__file__).parent / "page" / name).read_bytes()

    async def respond() -> Response:
        return Response(content, media_type=media_type)

    return respond


def _form_schema(field, max_files):
    """Describe the form of a request for OpenAPI."""
    file = {"type": "string", "format": "binary"}
    value = file if max_files == 1 else {"type": "array", "items": file, "maxItems": max_files}
    schema = {"type": "object", "required": [field], "properties": {field: value}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }
