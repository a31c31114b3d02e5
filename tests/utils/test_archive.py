import json
import zipfile

import keras
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from melanet.utils import _archive
from melanet.weights import _reader

_KIND = "melanet.Thing"


class Thing(BaseEstimator):
    def __init__(self, *, number=1, pair=(1, 2), path=None, function=None):
        self.number, self.pair, self.path, self.function = number, pair, path, function


def _network():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def test_round_trip(tmp_path):
    networks = [_network() for _ in range(12)]  # more than ten: the order is not the alphabet's
    _archive.write_archive(
        tmp_path / "a" / "thing", _KIND, {"n": np.int64(3), "p": tmp_path}, networks
    )
    card, models = _archive.read_archive(tmp_path / "a" / "thing", _KIND, _reader.read_model)
    assert (card["n"], card["p"]) == (3, str(tmp_path))
    x = np.ones((1, 3), "float32")
    for wrote, read in zip(networks, models, strict=True):
        np.testing.assert_array_equal(wrote(x), read(x))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["thing"]


@pytest.mark.parametrize("content", ["[]", "{}", "no json", '{"format": "melanet.Other"}', None])
def test_other_files_are_rejected(tmp_path, content):
    path = tmp_path / "thing"
    with zipfile.ZipFile(path, "w") as file:
        if content is not None:
            file.writestr("card.json", content)
    with pytest.raises(ValueError, match=r"intact file written by Thing.save.*thing"):
        _archive.read_archive(path, _KIND, _reader.read_model)


def test_json_params_converts_values_and_omits_the_others(tmp_path):
    thing = Thing(number=np.float32(0.5), path=tmp_path, function=len)
    with pytest.warns(UserWarning, match="function=<built-in function len> cannot be written"):
        kept = _archive.json_params(thing, pair={"instead": 1})
    assert kept == {"number": 0.5, "pair": {"instead": 1}, "path": str(tmp_path)}
    json.dumps(kept)


@pytest.mark.parametrize("labels", [[0, 1], ["a", "bc"], [True, False], [0.5, 2.0]])
def test_labels_keep_their_dtype(labels):
    card = json.loads(json.dumps(_archive.labels_to_json(labels)))
    again = _archive.labels_from_json(card)
    assert again.tolist() == labels
    assert again.dtype == np.asarray(labels).dtype
