import base64
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from PIL import Image

from melanet import MelaNet

pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
pytest.importorskip("uvicorn", reason='needs uvicorn: pip install "melanet[app]"')

from melanet.serving import create_app


def post(url, picture, path="/api/predict", field="image", **query):
    files = [(field, ("name.png", data)) for data in np.atleast_1d(np.array(picture, object))]
    return requests.post(url + path, files=files, params=query, timeout=60)


def pixels(data_url):
    head, _, data = data_url.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_predictions_have_the_released_endpoints_form_and_a_notice(url, model, pictures, encoded):
    for picture in pictures[:4]:
        answer = post(url, encoded(picture))
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"success", "predictions", "notice"}
        assert body["success"] is True
        assert "Not for diagnosis" in body["notice"]
        labels = [entry["label"] for entry in body["predictions"]]
        assert labels == ["benign", "malignant"]
        assert all(set(entry) == {"label", "probability"} for entry in body["predictions"])
        probabilities = [entry["probability"] for entry in body["predictions"]]
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(probabilities, model.predict_proba(picture[None])[0], atol=1e-5)


def test_overlay_is_the_models_at_the_images_size(url, model, pictures, encoded):
    body = post(url, encoded(pictures[0]), overlay="true").json()
    _, overlays = model.explain(pictures[:1], return_overlay=True)
    shown = pixels(body["overlay"])
    assert shown.shape == (16, 16, 3)
    np.testing.assert_allclose(shown.astype(int), overlays[0].astype(int), atol=2)
    best = model.predict_proba(pictures[:1])[0].argmax()
    assert body["overlay_label"] == ("benign", "malignant")[best]


def test_overlay_keeps_the_aspect_ratio_and_limits_the_size(url, encoded):
    wide = np.zeros((300, 900, 3), "uint8")
    assert pixels(post(url, encoded(wide), overlay=1).json()["overlay"]).shape == (128, 384, 3)


def test_translation_is_that_of_the_cyclegan(url, translator, pictures, encoded):
    body = post(url, encoded(pictures[2]), translation="true").json()
    np.testing.assert_array_equal(pixels(body["translation"]["before"]), pictures[2])
    made = translator.translate(pictures[2:3].astype("float32") / 127.5 - 1)[0]
    expected = np.clip((made + 1) * 127.5, 0, 255)
    np.testing.assert_allclose(pixels(body["translation"]["after"]), expected, atol=1.01)
    change = (expected - pictures[2]).mean(axis=-1)
    edits = pixels(body["translation"]["edits"]).astype(int)
    strongest = np.unravel_index(np.abs(change).argmax(), change.shape)
    assert edits[strongest].tolist() == ([255, 0, 0] if change[strongest] > 0 else [0, 0, 255])
    red, blue = edits[..., 1] < edits[..., 0], edits[..., 1] < edits[..., 2]
    clear = np.abs(change) > np.abs(change).max() / 50
    np.testing.assert_array_equal(red[clear], change[clear] > 0)
    np.testing.assert_array_equal(blue[clear], change[clear] < 0)
    assert "overlay" not in body


def test_batch_results_are_in_order_and_name_unusable_images(url, model, pictures, encoded):
    sent = [encoded(picture) for picture in pictures[:5]]
    sent[2] = b"no image"
    answer = post(url, sent, "/api/predict/batch", "images")
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["success"] for result in results] == [True, True, False, True, True]
    assert "not a readable image" in results[2]["error"]
    expected = model.predict_proba(pictures[:5])[:, 1]
    for i in (0, 1, 3, 4):
        assert results[i]["predictions"][1]["probability"] == pytest.approx(expected[i], abs=1e-5)
    assert "Not for diagnosis" in answer.json()["notice"]


def test_concurrent_requests_get_their_own_results(url, model, pictures, encoded):
    expected = model.predict_proba(pictures)[:, 1]
    sent = [encoded(picture) for picture in pictures]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda data: post(url, data).json(), sent))
    got = [answer["predictions"][1]["probability"] for answer in answers]
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3  # otherwise swapped results would pass


def test_images_are_rotated_by_their_exif_orientation(url, pictures, encoded):
    exif = Image.Exif()
    exif[0x0112] = 6  # displayed rotated by 90 degrees clockwise
    tall = np.zeros((40, 20, 3), "uint8")
    shown = pixels(post(url, encoded(tall, "JPEG", exif=exif), overlay=1).json()["overlay"])
    assert shown.shape == (20, 40, 3)


def test_health_reference_and_page_load_nothing_from_elsewhere(url):
    health = requests.get(f"{url}/health", timeout=10).json()
    assert health["status"] == "ok"
    assert health["labels"] == ["benign", "malignant"]
    assert health["translator"] is True
    reference = requests.get(f"{url}/docs", timeout=10)
    described = requests.get(f"{url}/openapi.json", timeout=10).json()
    for path in described["paths"]:
        assert path in reference.text
    for path in ("/", "/style.css", "/page.js", "/docs"):
        answer = requests.get(url + path, timeout=10)
        assert answer.status_code == 200
        # The curl example names the only permitted address.
        named = answer.text.replace("http://127.0.0.1:8000", "")
        assert "http" not in named.replace("HTTP", "")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = requests.get(url, timeout=10).text
    assert "Not for diagnosis" in page
    assert "style=" not in page
    assert "<script>" not in page


def test_examples_can_be_predicted(url):
    found = requests.get(f"{url}/api/examples", timeout=10).json()["examples"]
    assert {entry["label"] for entry in found} == {"benign", "malignant"}
    for entry in found:
        picture = requests.get(url + entry["url"], timeout=10)
        assert picture.headers["content-type"] == "image/png"
        assert post(url, picture.content).status_code == 200
    assert requests.get(f"{url}/api/examples/99", timeout=10).status_code == 404


def test_other_origins_and_hosts_are_rejected(model, serve):
    app = create_app(model, allowed_hosts=["127.0.0.1", "localhost"])
    with serve(app) as address:
        answer = requests.get(f"{address}/health", headers={"Origin": "http://x.org"}, timeout=10)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        rebound = requests.get(f"{address}/health", headers={"Host": "x.org"}, timeout=10)
        assert rebound.status_code == 400
        without = requests.post(f"{address}/api/predict?translation=1", timeout=10)
        assert without.status_code == 400
        assert "--translator" in without.json()["error"]


@pytest.fixture(scope="module")
def grey():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 17, (30, 8, 8)).astype(float)
    y = np.array(["a", "b", "c"])[np.arange(30) % 3]
    options = {"backbone": "small", "input_size": 8, "epochs": 1, "value_range": (0, 16)}
    return MelaNet(**options, random_state=0).fit(X, y)


def test_classes_channels_and_range_of_fit_are_served(grey, serve, encoded):
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8), dtype="uint8")
    with serve(create_app(grey)) as address:
        body = post(address, encoded(pixels)).json()
    assert [entry["label"] for entry in body["predictions"]] == ["a", "b", "c"]
    expected = grey.predict_proba(pixels[None] / 255 * 16)[0]
    got = [entry["probability"] for entry in body["predictions"]]
    np.testing.assert_allclose(got, expected, atol=1e-4)
