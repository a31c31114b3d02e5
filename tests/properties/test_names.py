"""Two sides meet by name: same as a list of pairs, or an error that names both sides."""

import numpy as np
import pytest
from brightness import brightness_classifier, write_levels
from hypothesis import strategies as st
from labelled import CLASSES, class_lists, respelt
from negatives import negative
from properties import for_all, in_process, starting_processes
from sklearn.metrics import roc_auc_score

from melanet import GANOversampler
from melanet.cli import main
from melanet.cli._evaluate import find_positive, match_folders
from melanet.metrics import nearest_samples, screening_report
from melanet.serving._service import ModelService
from melanet.utils._files import read_json
from melanet.utils._labels import match_keys, match_labels, merge_spellings


def homogeneous(data, names):
    """Return classes as one array of numbers or of text, as estimators hold them."""
    if all(isinstance(name, int) for name in names):
        return np.array(names, data.draw(st.sampled_from(["int64", "int16", "float64", "U5", "O"])))
    return np.array([str(name) for name in names], data.draw(st.sampled_from(["U9", "O"])))


@in_process
def test_labels_are_matched_as_pairs_of_names(n_examples):
    @for_all(n_examples, data=st.data(), names=class_lists(), other=CLASSES)
    def check(data, names, other):
        order = data.draw(st.lists(st.integers(0, len(names) - 1), max_size=9))
        given = [respelt(data, names[i]) for i in order]
        known = homogeneous(data, names)
        assert match_labels("y", given, "classes", known).tolist() == order
        keys = {names[i]: respelt(data, names[i]) for i in order}
        named = match_keys("m", {key: i for i, key in keys.items()}, "classes", known)
        assert {str(key): str(i) for key, i in named.items()} == {
            str(known[names.index(i)]): str(i) for i in keys
        }
        if str(other) not in map(str, names):
            spelt = respelt(data, other)
            with pytest.raises(ValueError, match="y must be among classes") as caught:
                match_labels("y", [*given, spelt], "classes", known)
            shown = spelt.item() if isinstance(spelt, np.generic) else spelt
            assert repr(shown) in str(caught.value)
            assert all(repr(label) in str(caught.value) for label in known.tolist())


@in_process
@pytest.mark.filterwarnings("ignore:The labels spell a class")
def test_merged_spellings_are_the_classes(n_examples):
    @for_all(n_examples, data=st.data(), names=class_lists())
    def check(data, names):
        order = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=9))
        given = [str(respelt(data, names[i])) for i in order]
        merged = merge_spellings("The labels", given, range(len(given)))
        assert len(set(merged)) == len(set(order))
        assert match_labels("y", merged, "classes", names).tolist() == order


@in_process
def test_a_report_takes_the_column_of_its_class(n_examples):
    @for_all(n_examples, data=st.data(), names=class_lists(), seed=st.integers(0, 999))
    def check(data, names, seed):
        rng = np.random.default_rng(seed)
        codes = np.concatenate([np.arange(len(names)), rng.integers(len(names), size=9)])
        scores = rng.uniform(size=(len(codes), len(names)))
        columns = rng.permutation(len(names))
        pick = data.draw(st.integers(0, len(names) - 1))
        report = screening_report(
            homogeneous(data, names)[codes],
            scores[:, columns],
            classes=[respelt(data, names[i]) for i in columns],
            pos_label=respelt(data, names[pick]),
        )
        assert report["auc"] == pytest.approx(roc_auc_score(codes == pick, scores[:, pick]))
        assert report["n_positive"] == (codes == pick).sum()


@in_process
def test_folders_and_classes_meet_by_name_or_mapping(n_examples):
    @for_all(n_examples, data=st.data(), names=class_lists())
    def check(data, names):
        classes = [str(label) for label in homogeneous(data, names)]
        order = data.draw(st.permutations(range(len(names))))
        folders = [str(respelt(data, names[i])) for i in order]
        assert match_folders(folders, classes).tolist() == order
        mapped = [f"folder {i}" for i in order]
        pairs = [f"folder {i}={respelt(data, names[i])}" for i in order if "=" not in str(names[i])]
        if len(pairs) == len(names):
            assert match_folders(mapped, classes, pairs).tolist() == order
        assert find_positive(classes, str(respelt(data, names[order[0]]))) == order[0]


@in_process
def test_keys_of_a_sampler_name_labels_of_y(n_examples):
    gan = negative()
    counts = [5, 3, 2]
    codes = np.repeat(np.arange(3), counts)
    X = np.arange(10, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 3), "uint8")

    @for_all(
        n_examples,
        data=st.data(),
        names=class_lists(3, 3),
        wanted=st.permutations([5, 4, 3]).filter(lambda w: w[0] == 5),
    )
    def check(data, names, wanted):
        y = homogeneous(data, names)[codes]
        if isinstance(y[0], int):  # scikit-learn refuses numbers in an object array
            y = y.astype("int64")
        strategy = {respelt(data, names[i]): wanted[i] for i in (1, 2)}
        given = dict(strategy)
        models = {respelt(data, names[i]): gan for i in (1, 2)}
        sampler = GANOversampler(
            preset="paper", sampling_strategy=strategy, pretrained=models, random_state=0
        )
        X_res, y_res = sampler.fit_resample(X, y)
        assert [int((y_res == y[codes == i][0]).sum()) for i in range(3)] == wanted
        assert sampler.sampling_strategy is strategy
        assert strategy == given
        np.testing.assert_array_equal(X_res[:10], X)
        made = sampler.translate(X[:1], respelt(data, names[1]))
        np.testing.assert_array_equal(made, 255 - X[:1])


@in_process
def test_a_classifier_is_asked_by_name(n_examples, tmp_path):
    images = (np.linspace(0, 255, 3)[:, None, None, None] * np.ones((8, 8, 3))).astype("uint8")
    model = brightness_classifier(tmp_path, ["a", "b", "c"])

    @for_all(n_examples, data=st.data(), names=class_lists(3, 3))
    def check(data, names):
        model.classes_ = homogeneous(data, names)
        order = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
        given = [respelt(data, names[i]) for i in order]
        assert model.score(images[order], np.array(given, dtype=object)) == 1
        labels = {
            respelt(data, names[i]): f"class {i}" for i in data.draw(st.permutations(range(3)))
        }
        assert ModelService(model, labels=labels).labels == ["class 0", "class 1", "class 2"]


@in_process
def test_columns_of_frames_are_matched_by_name(n_examples):
    pd = pytest.importorskip("pandas")

    @for_all(n_examples, names=class_lists(1), seed=st.integers(0, 999))
    def check(names, seed):
        rng = np.random.default_rng(seed)
        real, other = rng.normal(size=(2, 4, len(names)))
        order = rng.permutation(len(names))
        frame = pd.DataFrame(other, columns=names).iloc[:, order]
        distances, rows = nearest_samples(pd.DataFrame(real, columns=names), frame)
        expected = np.sqrt(((real[:, None] - other) ** 2).mean(axis=2))
        np.testing.assert_allclose(distances, expected.min(axis=1))
        np.testing.assert_array_equal(rows, expected.argmin(axis=1))


@starting_processes
def test_evaluate_is_right_for_any_names(n_examples, tmp_path):
    names = ["9", "10", "1", "0", "benign", "a b", "é", "01", "malignant", "B", "b"]
    taken = iter(range(10**6))

    @for_all(
        n_examples,
        classes=st.lists(st.sampled_from(names), min_size=2, max_size=4, unique=True),
        numbers=st.booleans(),
        pick=st.integers(0, 3),
    )
    def check(classes, numbers, pick):
        folder = tmp_path / str(next(taken))
        folder.mkdir()
        whole = [name for name in classes if name in ("9", "10", "1", "0")]
        labels = [*map(int, whole)] if numbers and len(whole) > 1 else classes
        folders = [str(label) for label in labels]
        brightness_classifier(folder, labels).save(folder / "m")
        write_levels(folder / "set", folders)
        positive = folders[pick % len(folders)]
        out = folder / "out"
        main(
            ["evaluate", f"{folder}/m", f"{folder}/set", "--positive", positive, "--out", f"{out}"]
        )
        report = read_json(out / "report.json")
        assert (report["auc"], report["positive"], report["n_positive"]) == (1, positive, 4)
