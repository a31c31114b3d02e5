"""The ISIC Archive's API, version 2: pages of a search, single images, and their metadata."""

import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from melanet.utils._download import DownloadError, fetch_json
from melanet.utils._validation import join_names

API = "https://api.isic-archive.com/api/v2"
SIZES = {"full": "full", "thumbnail": "thumbnail_256"}  # name of a size -> name in the API
DIAGNOSES = tuple(f"diagnosis_{level}" for level in range(1, 6))
# Metadata of the table, in the API's two groups.
CLINICAL = (
    *DIAGNOSES,
    "diagnosis_confirm_type",
    "age_approx",
    "sex",
    "anatom_site_general",
    "patient_id",
    "lesion_id",
)
ACQUISITION = ("image_type", "pixels_x", "pixels_y")
_PAGE = 100  # images; the API's limit
_MOST_STALE = 3  # pages in a row without a new image
_ID = re.compile(r"ISIC_\d{7,}")


@dataclass(frozen=True)
class ArchiveImage:
    """An image of the archive.

    Parameters
    ----------
    isic_id, licence, attribution : str
        Name, licence (such as "CC-0") and attribution.
    metadata : dict
        Columns of `CLINICAL` and `ACQUISITION` -> text; "" where the archive has nothing.
    url : str
        Signed address of the picture, for use at once. It is shown in no representation.
    n_bytes : int
        Size of the picture.
    """

    isic_id: str
    licence: str
    attribution: str
    metadata: dict[str, str]
    url: str = field(repr=False)
    n_bytes: int


class ImageSearch:
    """Public images that match a query, in the archive's order, asked for page by page.

    Parameters
    ----------
    query : str
        Query in the archive's language; "" for all images.
    collections : sequence of int
        Numbers of collections; none for all images.
    size : {"full", "thumbnail"}
        Picture whose address is taken.
    page : int, default=100
        Images per page, from 1 to 100.

    Attributes
    ----------
    count : int or None
        Number of images that the first page announced; None before that, or if it did not.
    listed : int
        Number of different images on the pages so far.
    """

    def __init__(self, query: str, collections: Sequence[int], size: str, page: int = _PAGE):
        self.count: int | None = None
        self.listed = 0
        self._size = size
        self._params = {"limit": str(max(1, min(_PAGE, page)))}
        if query:
            self._params["query"] = query
        if collections:
            self._params["collections"] = ",".join(map(str, collections))

    def __iter__(self) -> Iterator[ArchiveImage]:
        """Yield each image once.

        Raises
        ------
        DownloadError
            If the archive does not answer, or repeats its pages before all images are listed.
        ValueError
            If it refuses the query.
        """
        params: dict[str, str] | None = self._params
        asked: list[dict[str, str]] = []
        listed: set[str] = set()
        stale = 0
        while params is not None:
            asked.append(params)
            page = self._ask(params)
            if self.count is None and isinstance(page.get("count"), int):
                self.count = page["count"]
            images = [_parse_image(item, self._size) for item in page["results"]]
            new = {image.isic_id: image for image in images if image.isic_id not in listed}
            listed |= new.keys()
            self.listed = len(listed)
            yield from new.values()
            stale = 0 if new else stale + 1
            params = _next_params(page)
            if params in asked or (params is not None and stale == _MOST_STALE):
                if self.count is None or len(listed) < self.count:
                    raise DownloadError(
                        f"The ISIC Archive repeats its pages: {len(listed)} of "
                        f"{'an unknown number of' if self.count is None else self.count} images "
                        "were listed. Try again later"
                    )
                return

    def _ask(self, params):
        try:
            page = fetch_json(f"{API}/images/search/", params)
        except DownloadError as error:
            if error.status in (400, 422):
                query, collections = params.get("query"), params.get("collections")
                raise ValueError(
                    'query must be in the archive\'s language, such as diagnosis_3:"Melanoma*" '
                    f"AND sex:male, and collections must exist. Received: query={query!r}, "
                    f"collections={collections!r}, which the archive refuses"
                ) from error
            raise
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise DownloadError("The ISIC Archive answered a page without results. Try again later")
        return page


def ask_for_image(isic_id: str, size: str) -> ArchiveImage | None:
    """Return an image with a newly signed address; None if the archive no longer shows it."""
    try:
        item = fetch_json(f"{API}/images/{isic_id}/")
    except DownloadError as error:
        if error.status in (404, 410):
            return None
        raise
    image = _parse_image(item, size)
    return image if item.get("public", True) else None


def combine_query(query: str | None, diagnosis: str | Sequence[str] | None) -> str:
    """Return a query for images that match `query` and have one of the diagnoses at any level.

    Examples
    --------
    >>> from melanet.datasets._isic_api import combine_query
    >>> combine_query("sex:male", None)
    'sex:male'
    >>> combine_query("sex:male", "Nevus")[:56]
    '(sex:male) AND (diagnosis_1:"Nevus" OR diagnosis_2:"Nevu'
    """
    names = [diagnosis] if isinstance(diagnosis, str) else list(diagnosis or ())
    bad = [name for name in names if not isinstance(name, str) or '"' in name or not name.strip()]
    if bad or (diagnosis is not None and not names):
        raise ValueError(
            "diagnosis must be a name, such as 'Melanoma*', or several. "
            f"Received: diagnosis={diagnosis!r}"
        )
    found = " OR ".join(f'{level}:"{name}"' for name in names for level in DIAGNOSES)
    query = (query or "").strip()
    if query and found:
        return f"({query}) AND ({found})"
    return query or found


def _next_params(page):
    """Return the parameters of the next page; None after the last one.

    Only the parameters of the address are used, so that a page cannot lead to another server.
    """
    following = page.get("next")
    if not following:
        return None
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(following).query))


def _parse_image(item, size):
    try:
        file, metadata = item["files"][SIZES[size]], item["metadata"]
        both = {**(metadata.get("acquisition") or {}), **(metadata.get("clinical") or {})}
        image = ArchiveImage(
            isic_id=item["isic_id"],
            licence=str(item["copyright_license"]),
            attribution=str(item["attribution"] or ""),
            metadata={name: _text(both.get(name)) for name in (*CLINICAL, *ACQUISITION)},
            url=str(file["url"]),
            n_bytes=int(file["size"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        keys = join_names(item, 20) if isinstance(item, dict) else type(item).__name__
        raise DownloadError(
            "The ISIC Archive describes an image in a form that this version does not read. "
            f"Received: {keys}"
        ) from None
    if not isinstance(image.isic_id, str) or not _ID.fullmatch(image.isic_id):
        raise DownloadError(f"The ISIC Archive names an image {image.isic_id!r}, not ISIC_0000000")
    return image


def _text(value):
    return "" if value is None else str(value)
