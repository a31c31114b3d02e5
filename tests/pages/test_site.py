"""The built pages in a real browser: whole, legible on a phone, and asking nobody else.

`nox -s slow` builds them and names their folder in MELANET_SITE.
"""

import functools
import http.server
import os
import re
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = os.environ.get("MELANET_SITE")
PAGES = (
    sorted(path.relative_to(SITE).as_posix() for path in Path(SITE).rglob("*.html")) if SITE else []
)
pytestmark = pytest.mark.skipif(
    not SITE, reason="needs the built pages: MELANET_SITE=docs/_build/html"
)

# Every hand-written page, the gallery, and the two largest classes of the reference.
SHOWN = [p for p in PAGES if "/" not in p and p not in ("genindex.html", "py-modindex.html")]
SHOWN += [p for p in PAGES if p.startswith("gallery/")]
SHOWN += [f"generated/melanet.{name}.html" for name in ("GANOversampler", "MelaNet")]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(_Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=[(1280, 800), (390, 844)], ids=["desktop", "phone"])
def tab(request, browser):
    width, height = request.param
    tab = browser.new_page(viewport={"width": width, "height": height})
    yield tab
    tab.close()


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_whole_and_as_wide_as_the_screen(tab, address, name):
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append((message.type, message.location["url"])))
    tab.on("pageerror", lambda error: said.append(("error", str(error))))
    tab.goto(f"{address}/{name}", wait_until="load")
    assert tab.locator("h1").first.inner_text()
    assert not [url for url in asked if not url.startswith((address, "data:"))]
    # The theme notes what it does; a browser asks for an icon whether there is one or not.
    assert not [what for kind, what in said if kind == "error" and "favicon" not in what]
    wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels lie beside the screen"
    broken = "imgs => imgs.filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert not tab.locator("img").evaluate_all(broken)


def test_links_inside_the_pages_lead_somewhere():
    texts = {name: (Path(SITE) / name).read_text(encoding="utf-8") for name in PAGES}
    lost = []
    for name, text in texts.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = os.path.normpath(Path(name).parent / unquote(parts.path)) if parts.path else name
            anchor = f'id="{unquote(parts.fragment)}"' if parts.fragment else ""
            if not (Path(SITE) / path).exists() or anchor not in texts.get(path, ""):
                lost.append(f"{name}: {link}")
    assert len(texts) > 50
    assert not lost


def test_the_gallery_has_pictures():
    examples = [name for name in PAGES if re.match(r"gallery/plot_", name)]
    assert len(examples) >= 6
    for name in examples:
        assert re.search(r'<img src="\.\./_images/sphx_glr_plot_', (Path(SITE) / name).read_text())


def test_the_search_finds_a_class(tab, address):
    tab.goto(f"{address}/search.html?q=GANOversampler")
    tab.wait_for_selector("#search-results li")
    assert "GANOversampler" in tab.inner_text("#search-results")
