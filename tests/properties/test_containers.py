"""Every container comes back with the values of an array's result, or is refused by name."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from brightness import brightness_classifier
from hypothesis import strategies as st
from negatives import write_colours
from PIL import Image
from properties import for_all, in_process
from scipy import sparse

from melanet import CycleGAN, GANOversampler, MelaNet
from melanet.datasets import export_cyclegan_folders
from melanet.metrics import quality_report, screening_report
from melanet.over_sampling import BalancedBatches, oversample_files
from melanet.plotting import plot_embedding
from melanet.utils._labels import match_labels

CODES = np.repeat([0, 1], [8, 4])
LABELS = np.repeat([0, 1], [8, 8])  # after over-sampling
dtypes = st.sampled_from(["uint8", "uint16", "float32", "float64", ">u2", "bool"])
seeds = st.integers(0, 2**32 - 1)


@cache
def gan(shape):
    return CycleGAN.from_shape(shape, filters=2, discriminator_filters=2)


def sampler(shape, label=1, **options):
    form = {"reject": False, "guard": False, "random_state": 0}
    return GANOversampler(pretrained={label: gan(shape)}, **form, **options)


def draw_pixels(seed, dtype, channels):
    pixels = np.random.default_rng(seed).uniform(0, 1, (12, 8, 8, channels))
    pixels[0].flat[:2] = 0, 1
    if dtype == "bool":
        return pixels > 0.5
    if np.dtype(dtype).kind == "u":
        pixels = np.rint(pixels * np.iinfo(dtype).max)
    return pixels.astype(dtype)


def boxed(X):
    result = np.empty(len(X), object)
    result[:] = list(X)
    return result


SEQUENCES = {
    "list": list,
    "tuple": tuple,
    "objects": boxed,
    "series": lambda X: pd.Series(list(X), index=[f"id{i}" for i in range(len(X))], name="x"),
}


@in_process
def test_sequences_of_arrays_come_back(n_examples):
    @for_all(
        n_examples,
        kind=st.sampled_from(sorted(SEQUENCES)),
        dtype=dtypes,
        channels=st.sampled_from([1, 3]),
        seed=seeds,
    )
    def check(kind, dtype, channels, seed):
        X = draw_pixels(seed, dtype, channels)
        model = sampler(X.shape[1:])
        expected = model.fit_resample(X, CODES)[0]
        assert expected.dtype == X.dtype
        given = SEQUENCES[kind](X)
        result = model.fit_resample(given, CODES)[0]
        moved = model.translate(given, 1)
        assert type(result) is type(moved) is type(given)
        assert all(a is b for a, b in zip(given, result))
        assert {sample.dtype for sample in [*result, *moved]} == {X.dtype}
        np.testing.assert_array_equal(np.stack(list(result)), expected)
        np.testing.assert_array_equal(np.stack(list(moved)), model.translate(X, 1))
        if kind == "series":
            sources = model.source_indices_
            assert result.index.tolist() == [*given.index, *given.index[sources]]


@in_process
def test_images_of_pillow_come_back_or_are_refused(n_examples):
    modes = ("1", "L", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I;16", "P")

    @for_all(n_examples, mode=st.sampled_from(modes), other=st.sampled_from(modes), seed=seeds)
    def check(mode, other, seed):
        def convert(pixels, mode):
            if mode in ("F", "I;16"):
                grey = pixels[..., 0] / 255 if mode == "F" else pixels[..., 0] * np.uint16(257)
                return Image.fromarray(grey.astype("float32" if mode == "F" else "uint16"))
            return Image.fromarray(pixels).convert(mode)

        pixels = draw_pixels(seed, "uint8", 3)
        X = [convert(picture, mode) for picture in pixels]
        mixed = [*X[:-1], convert(pixels[-1], other)]
        arrays = np.stack([np.asarray(image) for image in X])
        shape = arrays.shape[1:] if arrays.ndim == 4 else (*arrays.shape[1:], 1)
        model = sampler(shape)
        for images in (mixed, X):
            received = sorted({image.mode for image in images})
            if len(received) > 1 or received == ["P"]:
                with pytest.raises(ValueError, match="mode") as caught:
                    model.fit_resample(images, CODES)
                assert all(f"mode {name}" in str(caught.value) for name in received)
                continue
            result = model.fit_resample(images, CODES)[0]
            assert {image.mode for image in result} == {mode}
            expected = model.fit_resample(arrays, CODES)[0]
            np.testing.assert_array_equal(np.stack([np.asarray(i) for i in result]), expected)


@in_process
def test_rows_of_pixels_come_back(n_examples):
    indices = {
        "numbers": lambda n: pd.RangeIndex(n),
        "shifted": lambda n: pd.RangeIndex(5, n + 5),
        "text": lambda n: pd.Index([f"p{i}" for i in range(n)], name="patient"),
    }
    kinds = ("csr", "csc", "lil", "frame", "nullable")

    @for_all(
        n_examples,
        kind=st.sampled_from(kinds),
        index=st.sampled_from(sorted(indices)),
        dtype=st.sampled_from(["uint8", "float32", "float64"]),
        seed=seeds,
    )
    def check(kind, index, dtype, seed):
        rows = draw_pixels(seed, dtype, 1).reshape(12, -1)
        model = sampler((8, 8, 1), image_shape=(8, 8))
        expected = model.fit_resample(rows, CODES)[0]
        if kind in ("csr", "csc", "lil"):
            given = getattr(sparse, f"{kind}_array")(rows)
            result = model.fit_resample(given, CODES)[0]
            assert type(result) is type(given)
            assert result.dtype == given.dtype
            np.testing.assert_array_equal(result.toarray(), expected)
            return
        given = pd.DataFrame(rows, index=indices[index](12)).add_prefix("pixel")
        if kind == "nullable":
            given = given.astype({"uint8": "UInt8"}.get(dtype, dtype.capitalize()))
        y = pd.Series(CODES, index=given.index, name="label")
        result, labels = model.fit_resample(given, y)
        assert result.columns.equals(given.columns)
        assert result.dtypes.equals(given.dtypes)
        pd.testing.assert_frame_equal(result.iloc[:12], given, check_index_type=False)
        np.testing.assert_array_equal(result.to_numpy(dtype=dtype), expected)
        new = range(12, 16) if index == "numbers" else given.index[model.source_indices_]
        assert result.index.tolist() == [*given.index, *new]
        assert result.index.name == given.index.name
        assert labels.index.equals(result.index)
        assert labels.name == "label"


def _one_hot(dtype, n=2):
    return lambda y: np.eye(n, dtype=dtype)[y]


TARGETS = {
    "array": lambda y: y,
    "text": lambda y: np.array(["no", "yes"])[y],
    "objects": lambda y: np.array(["no", "yes"], object)[y],
    "list": lambda y: np.array(["no", "yes"])[y].tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    "column": lambda y: y[:, None],
    "bool": lambda y: y == 1,
    "one-hot": _one_hot("int64"),
    "one-hot of three": _one_hot("uint8", 3),
    "one-hot floats": _one_hot("float32"),
    "one-hot list": lambda y: np.eye(2, dtype=int)[y].tolist(),
    "one-hot frame": lambda y: pd.DataFrame(np.eye(2, dtype="int8")[y], columns=["a", "b"]),
    "one-hot sparse": lambda y: sparse.csr_matrix(np.eye(2, dtype=int)[y]),
    "frame": lambda y: pd.DataFrame({"label": np.array(["no", "yes"])[y]}),
    "series": lambda y: pd.Series(y, name="label"),
    "category": lambda y: pd.Series(pd.Categorical.from_codes(y, ["no", "yes"])),
    "string": lambda y: pd.Series(np.array(["no", "yes"])[y], dtype="string"),
}


@in_process
def test_labels_come_back(n_examples):
    @for_all(n_examples, kind=st.sampled_from(sorted(TARGETS)), seed=seeds)
    def check(kind, seed):
        X = draw_pixels(seed, "uint8", 1)
        given, expected = TARGETS[kind](CODES), TARGETS[kind](LABELS)
        named = "yes" in str(np.ravel(given).tolist() if not sparse.issparse(given) else "")
        result = sampler((8, 8, 1), "yes" if named else 1).fit_resample(X, given)[1]
        # The new labels follow the originals: 8 of the first class, 4 and 4 of the second.
        assert type(result) is type(expected)
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(result, expected)
        elif isinstance(expected, pd.Series):
            pd.testing.assert_series_equal(result, expected)
        elif sparse.issparse(expected):
            assert (result != expected).nnz == 0
        elif isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(result, expected, strict=True)
        else:
            assert result == expected


def entries(tmp_path):
    """Return every public function that takes labels, as a function of n labels."""
    paths, _, _ = write_colours(tmp_path, {"a": 12})
    X = draw_pixels(0, "uint8", 3)
    classifier = brightness_classifier(tmp_path, [0, 1])
    scores = np.linspace(0, 1, 12)
    return {
        "GANOversampler": lambda y: sampler((8, 8, 3)).fit_resample(X, y),
        "oversample_files": lambda y: oversample_files(paths, y, tmp_path / "out"),
        "BalancedBatches": lambda y: BalancedBatches(paths, y, {}, size=8),
        "export_cyclegan_folders": lambda y: export_cyclegan_folders(tmp_path / "ab", paths, y),
        "groups": lambda y: export_cyclegan_folders(tmp_path / "ab", paths, CODES, groups=y),
        "MelaNet.fit": lambda y: MelaNet(backbone="small", input_size=8).fit(X, y),
        "MelaNet.score": lambda y: classifier.score(X, y),
        "screening_report": lambda y: screening_report(y, scores),
        "plot_embedding": lambda y: plot_embedding({"all": (np.zeros((12, 2)), y)}),
        "quality_report": lambda y: quality_report(X, y, X, CODES),
        "match_labels": lambda y: match_labels("y", y, "classes", [0, 1]),
    }


@in_process
def test_masked_labels_are_refused_by_name(n_examples, tmp_path):
    functions = entries(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    @for_all(
        n_examples,
        name=st.sampled_from(sorted(functions)),
        text=st.booleans(),
        masked=st.sets(st.integers(0, 11), min_size=1, max_size=3),
        as_list=st.booleans(),
    )
    def check(name, text, masked, as_list):
        y = np.ma.array(np.array(["0", "1"])[CODES] if text else CODES)
        y[sorted(masked)] = np.ma.masked
        with pytest.raises(ValueError, match="masked") as caught:
            functions[name](list(y) if as_list else y)
        assert f"Received: {len(masked)} masked values" in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before
