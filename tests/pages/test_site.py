"""The built pages in a browser: complete, readable on a phone, no requests to other hosts.

`nox -s slow` builds them and sets MELANET_SITE to their folder.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from loopback import serving_folder

SITE = os.environ.get("MELANET_SITE")
PAGES = (
    sorted(path.relative_to(SITE).as_posix() for path in Path(SITE).rglob("*.html")) if SITE else []
)
pytestmark = pytest.mark.skipif(
    not SITE, reason="needs the built pages: MELANET_SITE=docs/_build/html"
)

# Every hand-written page, the gallery, and the two largest classes of the reference.
OPENED = [p for p in PAGES if "/" not in p and p not in ("genindex.html", "py-modindex.html")]
OPENED += [p for p in PAGES if p.startswith("gallery/")]
OPENED += [f"generated/melanet.{name}.html" for name in ("GANOversampler", "MelaNet")]


@pytest.fixture(scope="module")
def address():
    with serving_folder(SITE) as server:
        yield server.url


@pytest.fixture(scope="module", params=[(1280, 800), (390, 844)], ids=["desktop", "phone"])
def tab(request, browser):
    width, height = request.param
    tab = browser.new_page(viewport={"width": width, "height": height})
    yield tab
    tab.close()


@pytest.mark.parametrize("name", OPENED)
def test_a_page_is_complete_and_fits_the_screen(tab, address, name):
    requests, messages = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: messages.append((message.type, message.location["url"])))
    tab.on("pageerror", lambda error: messages.append(("error", str(error))))
    tab.goto(f"{address}/{name}", wait_until="load")
    assert tab.locator("h1").first.inner_text()
    assert not [url for url in requests if not url.startswith((address, "data:"))]
    # Browsers request an icon even if the page names none.
    assert not [text for kind, text in messages if kind == "error" and "favicon" not in text]
    excess = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert excess <= 0, f"the page is {excess} pixels too wide"
    broken = "imgs => imgs.filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert not tab.locator("img").evaluate_all(broken)


def test_internal_links_have_targets():
    texts = {name: (Path(SITE) / name).read_text(encoding="utf-8") for name in PAGES}
    broken = []
    for name, text in texts.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = os.path.normpath(Path(name).parent / unquote(parts.path)) if parts.path else name
            anchor = f'id="{unquote(parts.fragment)}"' if parts.fragment else ""
            if not (Path(SITE) / path).exists() or anchor not in texts.get(path, ""):
                broken.append(f"{name}: {link}")
    assert len(texts) > 50
    assert not broken


def test_the_gallery_has_figures():
    examples = [name for name in PAGES if re.match(r"gallery/plot_", name)]
    assert len(examples) >= 6
    for name in examples:
        assert re.search(r'<img src="\.\./_images/sphx_glr_plot_', (Path(SITE) / name).read_text())


def test_the_search_finds_a_class(tab, address):
    tab.goto(f"{address}/search.html?q=GANOversampler")
    tab.wait_for_selector("#search-results li")
    assert "GANOversampler" in tab.inner_text("#search-results")
