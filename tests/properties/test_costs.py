"""Warnings of exploding costs; model files are read under any name."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from properties import for_all, in_process
from scipy.spatial.distance import cdist

from melanet import CycleGAN, GANOversampler
from melanet.classifier import load_classifier
from melanet.exceptions import CostWarning
from melanet.metrics import _fidelity, manifold_scores
from melanet.preprocessing import TableForm
from melanet.utils import _memory

SAVED = Path(__file__).parents[1] / "data" / "before_move"


def encoded_by_hand(frame, names):
    """Return the columns of some names as a number for each distinct value, in order."""
    blocks = []
    for name in names:
        known = sorted(set(frame[name]))
        blocks.append(
            [[1.0 if value == other else -1.0 for other in known] for value in frame[name]]
        )
    return np.concatenate([np.asarray(block) for block in blocks], axis=1)


@in_process
def test_columns_of_identifiers_are_named_and_others_are_not(n_examples):
    @for_all(
        n_examples,
        n=st.integers(2, 300),
        shares=st.lists(st.floats(0, 1), min_size=1, max_size=3),
        as_frame=st.booleans(),
        kind=st.sampled_from(["text", "number", "tuple"]),
        seed=st.integers(0, 2**31),
    )
    def check(n, shares, as_frame, kind, seed):
        rng = np.random.default_rng(seed)
        make = {"text": "id-{}".format, "number": int, "tuple": lambda i: (int(i), "x")}[kind]
        columns, widths = {"age": rng.normal(size=n)}, {}
        for i, share in enumerate(shares):
            width = max(1, round(share * n))
            codes = np.concatenate([np.arange(width), rng.integers(0, width, n - width)])
            values = np.empty(n, dtype=object)
            values[:] = [make(code) for code in rng.permutation(codes)]
            columns[f"column {i}"], widths[f"column {i}"] = values, width
        frame = pd.DataFrame(columns)
        X = frame if as_frame else frame.to_numpy(dtype=object)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            form = TableForm.of(X, categorical=range(1, 1 + len(shares)))
        told = [str(w.message) for w in caught if w.category is CostWarning]
        expected = {
            (name if as_frame else str(i + 1)): width
            for i, (name, width) in enumerate(widths.items())
            if width >= 100 and width > n / 2
        }
        assert len(told) == len(expected)
        for message, (name, width) in zip(told, expected.items(), strict=True):
            assert name in message.split(" has ")[0]
            assert f"{width} different values in {n} rows" in message
            assert _memory.format_bytes(4 * n * width) in message
        assert form.tensor_shape == (1 + sum(widths.values()),)
        tensor = form.encode(X)
        assert (tensor.shape, tensor.dtype) == ((n, 1 + sum(widths.values())), np.float32)
        np.testing.assert_array_equal(tensor[:, 1:], encoded_by_hand(frame, widths))
        decoded = pd.DataFrame(form.decode(tensor))
        for i in range(len(shares)):
            assert decoded[i + 1].tolist() == frame.iloc[:, i + 1].tolist()


@in_process
def test_counts_beyond_the_memory_are_refused_before_anything_is_made(n_examples):
    X = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    y = [0, 0, 0, 0, 1, 1]
    total = _memory.total_memory()
    if total is None:
        pytest.skip("the system does not tell its memory")

    @for_all(n_examples, times=st.floats(1.01, 1e6), form=st.sampled_from(["dict", "callable"]))
    def check(times, form):
        n = int(times * total / (8 * 8 * 3))
        strategy = {1: n} if form == "dict" else lambda y: {1: n}
        with pytest.raises(ValueError, match=rf"The {n - 2} new samples that") as caught:
            GANOversampler(sampling_strategy=strategy).fit_resample(X, y)
        assert f"there are {_memory.format_bytes(total)}" in str(caught.value)


@in_process
def test_manifold_scores_do_not_depend_on_the_parts(n_examples):
    @for_all(
        n_examples,
        n=st.integers(2, 30),
        m=st.integers(2, 30),
        k=st.integers(1, 6),
        chunk=st.integers(1, 200),
        seed=st.integers(0, 2**31),
    )
    def check(n, m, k, chunk, seed):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, 3)), rng.normal(0.5, 1, size=(m, 3))
        k_x, k_y = (max(1, min(k, (size - 1) // 2)) for size in (n, m))
        radii_x = np.sort(cdist(x, x), axis=1)[:, k_x]
        radii_y = np.sort(cdist(y, y), axis=1)[:, k_y]
        inside = cdist(x, y) <= radii_x[:, None]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_fidelity, "CHUNK", chunk)
            found = manifold_scores(x, y, k=k)
        assert found["precision"] == pytest.approx(inside.any(axis=0).mean())
        assert found["coverage"] == pytest.approx(inside.any(axis=1).mean())
        assert found["density"] == pytest.approx(inside.sum() / (k_x * m))
        assert found["recall"] == pytest.approx((cdist(x, y) <= radii_y).any(axis=1).mean())


names = st.text("abXYZ019_-. ", min_size=1, max_size=12).filter(lambda name: name.strip(". "))
suffixes = st.sampled_from(["", ".keras", ".KERAS", ".h5", ".H5", ".bin", ".melanet", ".zip", "."])


@pytest.mark.parametrize(
    ("n_examples", "kind"),
    [
        (3, "cyclegan.keras"),
        (3, "classifier.melanet"),
        pytest.param(50, "cyclegan.keras", marks=pytest.mark.slow),
        pytest.param(50, "classifier.melanet", marks=pytest.mark.slow),
    ],
)
def test_model_files_are_read_under_any_name(n_examples, kind, tmp_path):
    read = {"cyclegan.keras": CycleGAN.from_pretrained, "classifier.melanet": load_classifier}[kind]
    wanted = read(SAVED / kind)

    @for_all(n_examples, name=names, suffix=suffixes)
    def check(name, suffix):
        path = tmp_path / f"{name}{suffix}"
        shutil.copyfile(SAVED / kind, path)
        found = read(path)
        pairs = [(found, wanted)] if kind == "cyclegan.keras" else [(found.model_, wanted.model_)]
        for a, b in pairs:
            for first, second in zip(a.get_weights(), b.get_weights(), strict=True):
                np.testing.assert_array_equal(first, second)
        path.unlink()
