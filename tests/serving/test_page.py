"""The page in a real browser that can reach the server only."""

import re
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

import melanet

pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
pytest.importorskip("uvicorn", reason='needs uvicorn: pip install "melanet[app]"')

STYLE = Path(melanet.__file__).parent / "serving" / "page" / "style.css"
SHOWN = "#result:not([hidden])"


@pytest.fixture
def page(browser, url):
    """The opened page; afterwards, it must have sent no request elsewhere and logged no error."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    requested, logged = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.goto(url)
    page.locator("#examples button").first.wait_for()
    yield page
    elsewhere = [
        address for address in requested if not address.startswith((f"{url}/", "data:", "blob:"))
    ]
    assert not elsewhere
    assert len(requested) > 5
    # The browser logs a rejected upload by itself.
    assert not [text for text in logged if "Failed to load resource" not in text]
    page.close()


@pytest.fixture
def picture(tmp_path, pictures):
    path = tmp_path / "mole.png"
    Image.fromarray(pictures[0]).save(path)
    return path


def colours(locator, tmp_path):
    """Return a screenshot of an element, (height, width, 3)."""
    path = tmp_path / "seen.png"
    locator.screenshot(path=path)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_an_uploaded_image_is_predicted_explained_and_translated(page, url, picture):
    page.get_by_label("Choose a file").set_input_files(picture)
    page.wait_for_selector(SHOWN)
    with picture.open("rb") as file:
        answer = requests.post(f"{url}/api/predict", files={"image": file}, timeout=30).json()
    for entry in answer["predictions"]:
        assert entry["label"] in page.inner_text("#predictions")
        assert f"{100 * entry['probability']:.1f} %" in page.inner_text("#predictions")
    for name in ("overlay", "before", "after", "edits"):
        assert page.evaluate(f"document.getElementById('{name}').naturalWidth") == 16
    assert "mole.png" in page.inner_text("#status")
    assert "Not for diagnosis" in page.inner_text("#status")
    assert page.evaluate("document.activeElement.id") == "result-title"


def test_the_slider_shows_before_and_after_by_keyboard_and_pointer(
    page, url, picture, tmp_path, translator, pictures
):
    page.get_by_label("Choose a file").set_input_files(picture)
    page.wait_for_selector(SHOWN)
    slider, compare = page.get_by_role("slider", name="Before and after"), page.locator("#compare")
    slider.focus()
    made = translator.translate(pictures[:1].astype("float32") / 127.5 - 1)[0]
    expected = {"Home": pictures[0], "End": np.clip((made + 1) * 127.5, 0, 255)}
    for key, pixels in expected.items():
        slider.press(key)
        inner = colours(compare, tmp_path)[2:-2, 2:-2]
        # Enlarged pixels are blurred, so their means are compared.
        np.testing.assert_allclose(inner.mean(axis=(0, 1)), pixels.mean(axis=(0, 1)), atol=8)
    means = [pixels.mean(axis=(0, 1)) for pixels in expected.values()]
    assert np.abs(means[0] - means[1]).max() > 20  # otherwise nothing was distinguished
    assert slider.input_value() == "100"
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext").startswith("99 %")
    box = compare.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 50)
    assert slider.input_value() == "75"


def test_an_example_is_chosen_by_keyboard(page):
    button = page.get_by_role("button", name="Example 3")
    button.focus()
    button.press("Enter")
    page.wait_for_selector(SHOWN)
    assert button.get_attribute("aria-pressed") == "true"
    assert "Example 3" in page.inner_text("#status")
    page.get_by_role("button", name="Example 4").click()
    page.wait_for_selector("#status:has-text('Example 4, malignant:')")
    assert page.locator("#examples [aria-pressed=true]").count() == 1


def test_a_bad_file_shows_an_error_and_the_next_one_works(page, picture, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    page.get_by_label("Choose a file").set_input_files(bad)
    alert = page.get_by_role("alert")
    page.wait_for_selector("#error:not(:empty)")
    assert "not a readable image" in alert.inner_text()
    assert page.locator("#result").is_hidden()
    page.get_by_label("Choose a file").set_input_files(picture)
    page.wait_for_selector(SHOWN)
    assert alert.inner_text() == ""


def test_the_page_fits_a_phone(browser, url, picture):
    page = browser.new_page(viewport={"width": 320, "height": 600}, has_touch=True)
    page.goto(url)
    page.get_by_label("Choose a file").set_input_files(picture)
    page.wait_for_selector(SHOWN)
    for selector in ("body", ".notice", "#overlay", "#compare", "#slider", "#edits"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.goto(f"{url}/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()


def test_inputs_have_names_and_the_notice_is_at_the_top(page):
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("note").bounding_box()["y"] < 300
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, button')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim())).length"
    )
    assert unnamed == 0
    without_text = page.evaluate("[...document.images].filter(e => !e.hasAttribute('alt')).length")
    assert without_text == 0


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_text_has_the_contrast_required_by_wcag():
    themes = re.findall(r":root \{(.*?)\}", STYLE.read_text(), flags=re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
        pairs = [(ink, paper) for ink in ("ink", "soft", "accent") for paper in ("paper", "card")]
        pairs += [("ink", "notice"), ("bad", "paper"), ("on-accent", "accent")]
        for pair in pairs:
            low, high = sorted(luminance(colour[name]) for name in pair)
            assert (high + 0.05) / (low + 0.05) >= 4.5, pair
