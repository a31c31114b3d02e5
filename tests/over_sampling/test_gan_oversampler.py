import copy
import gc
import json
import pickle
import random
import re
import zipfile
from collections import Counter

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.utils.estimator_checks import parametrize_with_checks
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from melanet import CycleGAN, GANOversampler, MelaNet
from melanet.exceptions import ScaleWarning


# Few steps suffice: the checks are of behaviour, not of quality.
@parametrize_with_checks([GANOversampler(steps=5, random_state=0)])
def test_imbalanced_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """Return forty zeros, ten ones and six twos, 8x8, uint8."""
    X, y = load_digits(n_class=3, return_X_y=True)
    keep = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((40, 10, 6))])
    return (X[keep] * 15).astype("uint8").reshape(-1, 8, 8), y[keep]


def quick(**options):
    defaults = {"steps": 3, "generator": "unet", "reject": False, "guard": False, "copies": 0}
    return GANOversampler(**{"random_state": 0, **defaults, **options})


@pytest.fixture(scope="module")
def identity():
    """Return an untrained CycleGAN, for tests that do not depend on its translations."""
    return CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2, seed=1)


@pytest.fixture(scope="module")
def trained(digits):
    X, y = digits
    sampler = quick(guard=True)
    return (sampler, *sampler.fit_resample(X, y))


def test_classes_are_balanced_and_originals_are_kept(digits, trained):
    X, y = digits
    sampler, X_res, y_res = trained
    assert Counter(y_res.tolist()) == {0: 40, 1: 40, 2: 40}
    assert (X_res.dtype, y_res.dtype) == (X.dtype, y.dtype)
    np.testing.assert_array_equal(X_res[: len(X)], X)
    np.testing.assert_array_equal(y_res[: len(y)], y)
    assert dict(sampler.sampling_strategy_) == {1: 30, 2: 34}
    assert set(sampler.cyclegans_) == {1, 2}
    assert set(sampler.history_[1]) >= {"loss", "cycle_loss", "discriminator_accuracy"}
    assert sampler.recipe_.steps == 3


def test_each_returned_row_has_the_group_of_its_source(digits, identity):
    X, y = digits
    patients = np.array([f"IP_{i // 3}" for i in range(len(X))])
    sampler = quick(pretrained={1: identity, 2: identity}, copies=0.5)
    X_res, _ = sampler.fit_resample(X, y, groups=patients)
    assert set(sampler.source_kind_) == {"translation", "copy"}
    assert len(sampler.groups_) == len(X_res)
    assert sampler.groups_[: len(X)].tolist() == patients.tolist()
    for row, group in zip(sampler.source_indices_, sampler.groups_[len(X) :]):
        assert group == f"IP_{row // 3}"
    # Exact copies are found on the side of their originals.
    for training, test in GroupKFold(3).split(X_res, groups=sampler.groups_):
        assert not {x.tobytes() for x in X_res[training]} & {x.tobytes() for x in X_res[test]}


def test_without_groups_each_row_is_one_and_save_leaves_them_out(digits, identity, tmp_path):
    X, y = digits
    sampler = quick(pretrained={1: identity, 2: identity})
    sampler.fit_resample(X, y)
    assert sampler.groups_.tolist() == [*range(len(X)), *sampler.source_indices_.tolist()]
    sampler.fit_resample(X, y, groups=pd.Series(np.arange(len(X)) // 2 + 100))
    assert sampler.groups_.dtype.kind == "i"
    sampler.save(tmp_path / "sampler.melanet")
    assert not hasattr(GANOversampler.load(tmp_path / "sampler.melanet"), "groups_")


def test_wrong_groups_are_refused_before_the_work(digits):
    X, y = digits
    for groups, message in (
        ([1, 2], r"groups must have one entry for each sample, shape \(56,\)"),
        ([None] * len(X), "groups must hold a label everywhere"),
    ):
        sampler = quick(steps=10**9)
        with pytest.raises(ValueError, match=message):
            sampler.fit_resample(X, y, groups=groups)
        assert not hasattr(sampler, "groups_")


def test_groups_are_routed_through_a_pipeline(digits, identity):
    X, y = digits
    with config_context(enable_metadata_routing=True):
        sampler = quick(pretrained={1: identity, 2: identity})
        sampler.set_fit_resample_request(groups=True)
        pipeline = Pipeline([("fill", sampler), ("flat", FlatNeighbours())])
        pipeline.fit(X, y, groups=np.arange(len(X)) // 2)
        fitted = pipeline.named_steps["fill"]
    assert fitted.groups_[: len(X)].tolist() == (np.arange(len(X)) // 2).tolist()
    assert fitted.groups_[len(X) :].tolist() == (fitted.source_indices_ // 2).tolist()


def test_every_synthetic_sample_is_the_translation_of_its_source(digits, trained):
    X, y = digits
    sampler, X_res, y_res = trained
    made, labels = X_res[len(X) :], y_res[len(y) :]
    assert len(made) == len(sampler.source_indices_) == len(sampler.source_kind_)
    assert set(sampler.source_kind_) == {"translation"}
    assert set(y[sampler.source_indices_]) == {0}  # the majority
    for label in (1, 2):
        rows = sampler.source_indices_[labels == label]
        assert len(set(rows)) == len(rows)
        np.testing.assert_array_equal(sampler.translate(X[rows], label), made[labels == label])


def test_the_strategy_is_met_beyond_the_limit_of_translations(digits, identity):
    X, y = digits
    options = {"pretrained": {1: identity, 2: identity}, "guard": False}
    sampler = quick(max_translations=2, **options)
    X_res, y_res = sampler.fit_resample(X, y)
    assert Counter(y_res.tolist()) == {0: 40, 1: 40, 2: 40}
    kinds, made = sampler.source_kind_, y_res[len(y) :]
    assert [Counter(kinds[made == c].tolist()) for c in (1, 2)] == [
        {"translation": 20, "copy": 10},
        {"translation": 12, "copy": 22},
    ]
    copied = np.flatnonzero(kinds == "copy")
    np.testing.assert_array_equal(X_res[len(X) + copied], X[sampler.source_indices_[copied]])
    assert sampler.recipe_.max_translations == 2
    assert [sampler.reports_[c].n_copies for c in (1, 2)] == [10, 22]


def test_exact_copies_of_floats_are_not_rounded(digits):
    X, y = digits
    X = np.random.default_rng(0).uniform(0, 1, X.shape)
    sampler = GANOversampler(max_translations=0, random_state=0)
    made = sampler.fit_resample(X, y)[0][len(X) :]
    np.testing.assert_array_equal(made, X[sampler.source_indices_])


def test_without_translations_nothing_is_trained(digits, identity, tmp_path):
    X, y = digits
    sampler = GANOversampler(max_translations=0, steps=10**9, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert Counter(y_res.tolist()) == {0: 40, 1: 40, 2: 40}
    np.testing.assert_array_equal(X_res[len(X) :], X[sampler.source_indices_])
    assert (sampler.cyclegans_, sampler.history_) == ({}, {})
    assert set(sampler.sample_weight_) == {1.0}
    sampler.save(tmp_path / "sampler.melanet")
    again = GANOversampler.load(tmp_path / "sampler.melanet")
    assert again.max_translations == 0
    with pytest.raises(ValueError, match="classes that were filled up"):
        again.translate(X[:2], 1)
    with pytest.warns(UserWarning, match="pretrained is of no use without translations"):
        sampler.set_params(steps=None, pretrained={1: identity}).fit_resample(X, y)


@pytest.mark.parametrize("wrong", [-1, "five", np.inf])
def test_wrong_limits_are_refused(digits, wrong):
    with pytest.raises(ValueError, match="max_translations"):
        quick(max_translations=wrong).fit_resample(*digits)


def test_weights_are_those_of_the_judge_and_keep_the_classes_totals(digits, identity, tmp_path):
    X, y = digits
    sampler = quick(
        pretrained={1: identity, 2: identity}, reject=True, guard=False, copies=0.5, match=True
    )
    X_res, y_res = sampler.fit_resample(X, y)
    weights = sampler.sample_weight_
    assert weights.shape == (len(X_res),)
    assert set(weights[: len(X)]) == {1.0}
    for label in (1, 2):
        own = (y_res == label) & (np.arange(len(y_res)) >= len(y))
        assert weights[own].sum() == pytest.approx(own.sum())
        kinds = sampler.source_kind_[own[len(y) :]]
        copies, others = weights[own][kinds == "copy"], weights[own][kinds != "copy"]
        assert np.ptp(copies) == 0
        assert (others < copies[0]).all()
    model = LogisticRegression().fit(X_res.reshape(len(X_res), -1), y_res, sample_weight=weights)
    assert model.score(X.reshape(len(X), -1), y) > 0.9
    sampler.save(tmp_path / "sampler.melanet")
    loaded = GANOversampler.load(tmp_path / "sampler.melanet")
    np.testing.assert_array_equal(loaded.sample_weight_, weights)


def test_half_of_the_samples_are_copies_unless_another_share_is_given(digits, identity):
    X, y = digits
    options = {"pretrained": {1: identity, 2: identity}, "guard": False, "copies": None}
    for share, expected in ((None, 0.5), (0.25, 0.25), (0, 0)):
        sampler = quick(**{**options, "copies": share})
        _, y_res = sampler.fit_resample(X, y)
        for label, n in sampler.sampling_strategy_.items():
            kinds = sampler.source_kind_[y_res[len(y) :] == label]
            assert (kinds == "copy").sum() == round(expected * n)
        copies = sampler.source_kind_ == "copy"
        origins = y[sampler.source_indices_]
        np.testing.assert_array_equal(origins[copies], y_res[len(y) :][copies])
        assert (origins[~copies] == 0).all()


def test_results_depend_on_the_seed_alone(digits, trained):
    X, y = digits
    again = quick(guard=True).fit_resample(X, y)[0]
    np.testing.assert_array_equal(again, trained[1])
    assert not np.array_equal(quick(random_state=1).fit_resample(X, y)[0], again)


def test_results_with_a_judge_are_reproducible_and_keep_global_random_states(digits):
    X, y = digits
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the test is of the global generator
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    samplers = [quick(reject=True, guard=True, sampling_strategy={1: 30}) for _ in range(2)]
    results = [sampler.fit_resample(X, y)[0] for sampler in samplers]
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(*(s.source_kind_ for s in samplers))
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    copied = samplers[0].source_kind_ == "copy"
    assert (y[samplers[0].source_indices_[copied]] == 1).all()


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("nhw", {}),
        ("nhwc", {}),
        ("rows", {"image_shape": (8, 8)}),
        ("rows", {"image_shape": (8, 8, 1)}),
        ("list", {"value_range": (0, 255)}),
        ("frame", {"image_shape": (8, 8)}),
        ("float", {}),
        ("bool", {}),
    ],
)
def test_output_has_the_form_of_the_input(digits, identity, layout, options):
    X, y = digits
    X, y = X[:50], y[:50]
    forms = {
        "nhw": X,
        "nhwc": X[..., None],
        "rows": X.reshape(50, -1),
        "list": X.tolist(),
        "frame": pd.DataFrame(X.reshape(50, -1)).add_prefix("pixel"),
        "float": (X / 255).astype("float32"),
        "bool": X > 100,
    }
    given = forms[layout]
    untouched = copy.deepcopy(given)
    sampler = quick(pretrained={1: identity}, **options)
    result, y_res = sampler.fit_resample(given, y)
    assert type(result) is type(given)
    assert len(result) == len(y_res) == 80
    if layout == "frame":
        assert list(result.columns) == list(given.columns)
        assert (result.dtypes == given.dtypes).all()
        pd.testing.assert_frame_equal(result.iloc[:50], given)
    elif layout == "list":
        assert np.shape(result) == (80, 8, 8)
        assert result[:50] == given
    else:
        assert result.shape == (80, *given.shape[1:])
        assert result.dtype == given.dtype
        np.testing.assert_array_equal(result[:50], given)
    if layout == "float":
        assert result.min() >= 0
        assert result.max() <= 1
    np.testing.assert_array_equal(np.asarray(given), np.asarray(untouched))
    more = sampler.translate(given, 1)
    assert type(more) is type(given)
    assert np.shape(more) == np.shape(given)


def table(seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(60, 3)), rng.integers(0, 4, 60)])
    y = np.repeat([0, 1], [45, 15])
    X[y == 1, 0] += 3
    return X, y


@pytest.mark.parametrize("kind", ["array", "csr", "csc", "frame"])
def test_tables_keep_their_container(kind):
    X, y = table()
    given = {
        "array": X,
        "csr": sparse.csr_matrix(X),
        "csc": sparse.csc_matrix(X),
        "frame": pd.DataFrame(X, columns=list("abcd")).astype({"d": "int32"}),
    }[kind]
    result, y_res = GANOversampler(steps=20, random_state=0).fit_resample(given, y)
    assert Counter(y_res.tolist()) == {0: 45, 1: 45}
    assert type(result) is type(given)
    if kind == "frame":
        assert result.dtypes["d"] == "int32"
        pd.testing.assert_frame_equal(result.iloc[:60], given)
        result = result.to_numpy()
    elif kind != "array":
        assert result.format == kind
        result = result.toarray()
    np.testing.assert_array_equal(result[:60], X)
    made = result[60:]
    assert (made[:, 3] == np.rint(made[:, 3])).all()
    assert made[:, 0].mean() > X[y == 0, 0].mean() + 1  # moved towards the class


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {0: 40, 1: 40, 2: 40}),
        ("minority", {0: 40, 1: 10, 2: 40}),
        ("not majority", {0: 40, 1: 40, 2: 40}),
        ({1: 12, 2: 6}, {0: 40, 1: 12, 2: 6}),
        (lambda y: {2: 7}, {0: 40, 1: 10, 2: 7}),
    ],
)
def test_strategies(digits, identity, strategy, expected):
    X, y = digits
    sampler = quick(sampling_strategy=strategy, pretrained={1: identity, 2: identity})
    assert Counter(sampler.fit_resample(X, y)[1].tolist()) == expected


def test_a_ratio_for_two_classes_with_text_labels(digits, identity):
    X, y = digits
    names = np.array(["naevus", "melanoma"])[y[:50]]
    sampler = quick(sampling_strategy=0.5, pretrained={"melanoma": identity})
    _X_res, y_res = sampler.fit_resample(X[:50], names)
    assert Counter(y_res.tolist()) == {"naevus": 40, "melanoma": 20}
    assert sampler.history_ == {"melanoma": {}}


def test_more_samples_than_sources_do_not_repeat(digits, identity):
    X, y = digits
    sampler = quick(sampling_strategy={0: 40, 1: 100, 2: 6}, pretrained={1: identity})
    X_res, _ = sampler.fit_resample(X, y)
    made = X_res[len(X) :].reshape(90, -1)
    assert np.bincount(sampler.source_indices_, minlength=40)[:40].min() == 2
    assert len(np.unique(made, axis=0)) == 90


def test_sources_can_be_all_other_classes(digits, identity):
    X, y = digits
    sampler = quick(sources="all", sampling_strategy={1: 50}, pretrained={1: identity})
    sampler.fit_resample(X, y)
    assert set(y[sampler.source_indices_]) == {0, 2}


def test_the_majority_can_be_over_sampled(digits, identity):
    X, y = digits
    sampler = quick(sampling_strategy={0: 45}, pretrained={0: identity})
    _X_res, y_res = sampler.fit_resample(X, y)
    assert Counter(y_res.tolist())[0] == 45
    assert set(y[sampler.source_indices_]) == {1}  # the largest of the others


def test_pretrained_skips_training_and_a_missing_label_trains(digits, identity, tmp_path):
    X, y = digits
    identity.save(tmp_path / "one.keras")
    sampler = quick(pretrained={1: str(tmp_path / "one.keras")}, match=False)
    X_res, _ = sampler.fit_resample(X, y)
    assert sampler.history_[1] == {}
    assert sampler.history_[2]["loss"]
    expected = identity.translate(X[sampler.source_indices_[:30], ..., None] / 127.5 - 1)
    np.testing.assert_allclose(
        X_res[len(X) : len(X) + 30, ..., None], (expected + 1) * 127.5, atol=0.51
    )


def test_paper_preset_trains_the_papers_networks_and_stretches(digits):
    X, y = digits
    sampler = GANOversampler(preset="paper", epochs=1, sampling_strategy={2: 12}, random_state=0)
    X_res, _ = sampler.fit_resample(X, y)
    model = sampler.cyclegans_[2]
    assert model.generator_ab.layers[1].filters == 32
    assert model.discriminator_a.layers[1].filters == 64
    assert len(sampler.history_[2]["loss"]) == 1
    made = X_res[len(X) :]
    assert (made.min(axis=(1, 2)) == 0).all()
    assert (made.max(axis=(1, 2)) == 255).all()


def test_without_missing_samples_the_data_is_returned_unchanged(digits):
    X, y = digits
    X_res, y_res = quick(sampling_strategy={1: 10}).fit_resample(X, y)
    np.testing.assert_array_equal(X_res, X)
    np.testing.assert_array_equal(y_res, y)


def test_silent_unless_verbose(digits, capfd):
    X, y = digits
    quick(sampling_strategy={2: 8}).fit_resample(X, y)
    assert capfd.readouterr().out == ""
    quick(sampling_strategy={2: 8}, verbose=1).fit_resample(X, y)
    printed = capfd.readouterr().out
    assert "class 2" in printed
    assert re.search(r"^Translating and checking \d+ samples of 2$", printed, re.MULTILINE)


@pytest.mark.parametrize(
    "through",
    [
        lambda s, folder: pickle.loads(pickle.dumps(s)),
        lambda s, folder: copy.deepcopy(s),
        lambda s, folder: joblib.load(joblib.dump(s, folder / "sampler.joblib")[0]),
    ],
    ids=["pickle", "deepcopy", "joblib"],
)
def test_fitted_samplers_can_be_serialized(digits, trained, tmp_path, through):
    again = through(trained[0], tmp_path)
    X, _ = digits
    np.testing.assert_array_equal(again.translate(X, 1), trained[0].translate(X, 1))
    assert again.history_ == trained[0].history_


def test_clone_keeps_parameters_only(identity, trained):
    sampler = quick(pretrained={1: identity}, flip="horizontal")
    cloned = clone(sampler)
    assert cloned.flip == "horizontal"
    assert cloned.pretrained.keys() == {1}
    with pytest.raises(NotFittedError):
        clone(trained[0]).translate(np.zeros((1, 8, 8), "uint8"), 1)
    with pytest.raises(NotFittedError):
        clone(trained[0]).save("nowhere")


def test_data_sets_do_not_keep_training_images_alive(digits):
    def alive():
        gc.collect()
        return [x for x in gc.get_objects() if isinstance(x, keras.utils.PyDataset)]

    X, y = digits
    before = {id(x) for x in alive()}  # of other tests
    quick(reject=True, sampling_strategy={2: 8}).fit_resample(X, y)
    loaders = [x for x in alive() if id(x) not in before]
    held = [v for x in loaders for v in vars(x).values() if isinstance(v, np.ndarray)]
    assert not [v for v in held if v.ndim == 4 and v.shape[1:] == (8, 8, 1) and len(v) >= 6]


def test_a_failed_refit_keeps_the_previous_fit(digits, trained):
    sampler = clone(trained[0])
    X, y = digits
    sampler.set_params(pretrained=trained[0].cyclegans_, steps=50, learning_rate=1e30)
    sampler.fit_resample(X, y)
    sampler.set_params(pretrained=None)
    with pytest.raises(ArithmeticError):
        sampler.fit_resample(X[:, :6], y)
    assert sampler.translate(X[:2], 1).shape == (2, 8, 8)


def test_numpy_integers_are_accepted(digits):
    X, y = digits
    sampler = quick(steps=np.int64(2), batch_size=np.int64(4), sampling_strategy={2: 8})
    sampler.fit_resample(X, y)
    assert sampler.recipe_.steps == 2


def test_columns_must_match_those_of_fit():
    X, y = table()
    frame = pd.DataFrame(X, columns=list("abcd"))
    sampler = GANOversampler(steps=2, reject=False, random_state=0)
    sampler.fit_resample(frame, y)
    assert list(sampler.translate(frame, 1).columns) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        sampler.translate(frame[list("dcba")], 1)


def test_the_sampler_does_not_keep_training_images(digits, trained):
    content = pickle.dumps({k: v for k, v in vars(trained[0]).items() if k != "cyclegans_"})
    assert digits[0][0].tobytes() not in content


class FlatNeighbours(ClassifierMixin, BaseEstimator):
    """A classifier for images of any rank."""

    def __init__(self, n_neighbors=1):
        self.n_neighbors = n_neighbors

    def fit(self, X, y):
        self._knn = KNeighborsClassifier(self.n_neighbors).fit(X.reshape(len(X), -1), y)
        self.classes_, self.n_seen_ = self._knn.classes_, len(X)
        return self

    def predict(self, X):
        return self._knn.predict(X.reshape(len(X), -1))


def test_a_pipeline_resamples_in_training_only(digits, identity):
    X, y = digits
    X, y = X[:50, ..., None], y[:50]
    pipeline = Pipeline([("fill", quick(pretrained={1: identity})), ("knn", FlatNeighbours())])
    assert pipeline.fit(X, y)[-1].n_seen_ == 80
    assert len(pipeline.predict(X)) == 50
    scores = cross_val_score(pipeline, X, y, cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    grid = {"fill__sampling_strategy": [0.5, 1.0], "knn__n_neighbors": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_[-1].n_seen_ in (60, 80)


IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8)).astype("uint8")
LABELS = np.repeat([0, 1], [8, 4])
FLOATS = IMAGES / 255


def with_value(value):
    X = FLOATS.copy()
    X[3, 2, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "y", "options", "error", "message"),
    [
        (IMAGES, np.zeros(12, int), {}, ValueError, "more than 1 class"),
        (IMAGES, [0] * 11 + [1], {}, ValueError, "Class 1 has 1 sample"),
        (with_value(np.nan), LABELS, {}, ValueError, "NaN"),
        (with_value(np.inf), LABELS, {}, ValueError, "infinity"),
        (with_value(300.0), LABELS, {}, ValueError, "from 0 to 300. Give value_range"),
        (with_value(1.3), LABELS, {}, ValueError, "both.*from 0 to 1.3. Give value_range"),
        (IMAGES.astype(object), LABELS, {}, ValueError, "Received: dtype object"),
        (np.ma.masked_greater(IMAGES, 250), LABELS, {}, ValueError, "must not be a masked array"),
        (IMAGES, LABELS, {"value_range": (0, 1)}, ValueError, "outside value_range"),
        ([np.zeros((8, 8))] * 11 + [np.zeros((8, 9))], LABELS, {}, ValueError, "ragged"),
        (np.zeros((12, 2, 2, 2, 2)), LABELS, {}, ValueError, "5 dimensions"),
        (np.zeros(12), LABELS, {}, ValueError, "1 dimensions|1D array"),
        (IMAGES.reshape(12, 64), LABELS, {"image_shape": (8, 9)}, ValueError, "has 72 values"),
        (IMAGES.astype(str), LABELS, {}, ValueError, "must be numeric"),
        (np.zeros((12, 3, 8, 8)), LABELS, {}, ValueError, "channels-first"),
        (IMAGES[:0], LABELS[:0], {}, ValueError, "0 sample"),
        (IMAGES, LABELS[:-1], {}, ValueError, "length|inconsistent"),
        (IMAGES, LABELS, {"sampling_strategy": {0: 4}}, ValueError, "greater or equal"),
        (IMAGES, LABELS, {"pretrained": {7: "x"}}, ValueError, "classes of y"),
        (IMAGES, LABELS, {"pretrained": {1: "no.keras"}}, FileNotFoundError, "no.keras"),
        (IMAGES[:, :7], LABELS, {"pretrained": {1: "identity"}}, ValueError, r"\(8, 8, 1\)"),
        (IMAGES, LABELS, {"preset": "best"}, ValueError, "preset"),
        (IMAGES, LABELS, {"steps": 0}, ValueError, "steps"),
        (IMAGES, LABELS, {"steps": 2, "epochs": 2}, ValueError, "not both"),
        (IMAGES, LABELS, {"flip": "sideways"}, ValueError, "flip"),
        (IMAGES, LABELS, {"learning_rate": -1.0}, ValueError, "learning_rate"),
        (IMAGES.reshape(12, 64), LABELS, {"augment": True}, ValueError, "images only"),
    ],
)
def test_bad_input_is_rejected_before_any_training(
    identity, monkeypatch, X, y, options, error, message
):
    if options.get("pretrained") == {1: "identity"}:
        options = {"pretrained": {1: identity}}

    def no_training(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr(CycleGAN, "fit", no_training)
    with pytest.raises(error, match=message):
        GANOversampler(**options).fit_resample(X, y)


def test_a_diverging_training_raises_and_sets_no_attributes(digits):
    X, y = digits
    sampler = quick(learning_rate=1e30, steps=50)
    with pytest.raises(ArithmeticError, match=r"at step \d+"):
        sampler.fit_resample(X, y)
    assert not hasattr(sampler, "cyclegans_")


def test_translate_validates_label_and_form(digits, trained):
    sampler = trained[0]
    with pytest.raises(ValueError, match=r"\[1, 2\]. Received: \[0\]"):
        sampler.translate(digits[0], 0)
    with pytest.raises(ValueError, match="as in fit"):
        sampler.translate(digits[0][:, :7], 1)


def test_translate_refuses_another_scale(digits, trained):
    X = digits[0]
    with pytest.raises(ValueError, match=f"uint8 from 0 to {X.max()}.*float64 from 0 to 1"):
        trained[0].translate(X / X.max(), 1)


def test_overshoot_is_kept_and_synthetic_values_lie_in_the_range(digits, identity):
    X, y = digits
    X = (X / X.max() * 1.1 - 0.05).astype("float32")
    sampler = quick(pretrained={1: identity, 2: identity})
    result, _ = sampler.fit_resample(X, y)
    assert sampler.form_.value_range == (0, 1)
    np.testing.assert_array_equal(result[: len(X)], X)
    assert 0 <= result[len(X) :].min() <= result[len(X) :].max() <= 1


def test_a_second_fit_on_another_range_is_warned_of(digits, identity):
    X, y = digits
    sampler = quick(pretrained={1: identity, 2: identity})
    sampler.fit_resample(X, y)
    sampler.set_params(pretrained=sampler.cyclegans_)
    with pytest.warns(ScaleWarning, match=r"uint8 in value_range=\(0, 255\).*\(0, 1\)"):
        sampler.fit_resample(X / 255, y)


def test_a_pipeline_takes_a_list_as_it_takes_an_array(digits, identity):
    X, y = digits
    X = X.astype("uint16") * 257
    predictions = []
    for given in (X, list(X)):
        sampler = quick(pretrained={1: identity, 2: identity})
        classifier = MelaNet(backbone="small", input_size=8, epochs=1, random_state=0)
        predictions.append(make_pipeline(sampler, classifier).fit(given, y).predict_proba(given))
    np.testing.assert_array_equal(*predictions)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (14, 8, 8)).astype("uint8")
    y = np.array(["naevus"] * 9 + ["melanoma"] * 5)
    sampler = GANOversampler(
        steps=2, generator="unet", reject=False, random_state=3, value_range=(0, 255)
    )
    sampler.fit_resample(X, y)
    return sampler, X


def test_a_loaded_sampler_translates_like_the_saved_one(tmp_path, fitted):
    sampler, X = fitted
    path = tmp_path / "sampler.melanet"
    sampler.save(path)
    again = GANOversampler.load(path)
    np.testing.assert_array_equal(sampler.translate(X, "melanoma"), again.translate(X, "melanoma"))
    assert again.sampling_strategy_ == sampler.sampling_strategy_
    assert again.history_ == sampler.history_
    assert again.recipe_ == sampler.recipe_
    assert list(again.reports_) == ["melanoma"]
    assert again.reports_ == sampler.reports_
    assert again.get_params()["random_state"] == 3
    np.testing.assert_array_equal(again.source_indices_, sampler.source_indices_)
    np.testing.assert_array_equal(again.source_kind_, sampler.source_kind_)
    assert [p.name for p in tmp_path.iterdir()] == ["sampler.melanet"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("sampling_strategy", {"melanoma": 12}, {"melanoma": 12}),
        ("sampling_strategy", {np.int64(1): np.int64(12)}, {1: 12}),
        ("random_state", np.int64(4), 4),
        ("learning_rate", np.float32(0.5), 0.5),
        ("image_shape", np.array([8, 8]), [8, 8]),
    ],
)
def test_saved_parameters_are_restored(tmp_path, fitted, name, value, expected):
    sampler = copy.copy(fitted[0]).set_params(**{name: value})
    sampler.save(tmp_path / "new" / "sampler.melanet")
    again = GANOversampler.load(tmp_path / "new" / "sampler.melanet")
    assert again.get_params()[name] == expected


def test_saving_warns_of_parameters_that_cannot_be_written(tmp_path, fitted):
    sampler = copy.copy(fitted[0]).set_params(sampling_strategy=lambda y: {})
    with pytest.warns(UserWarning, match="sampling_strategy=.* cannot be written to a file"):
        sampler.save(tmp_path / "sampler.melanet")


def test_the_file_holds_no_pickle_and_no_images(tmp_path, fitted):
    sampler, X = fitted
    sampler.save(tmp_path / "sampler.melanet")
    with zipfile.ZipFile(tmp_path / "sampler.melanet") as archive:
        assert sorted(archive.namelist()) == ["card.json", "model-0.keras"]
        json.loads(archive.read("card.json"))
    content = (tmp_path / "sampler.melanet").read_bytes()
    assert X[0].tobytes() not in content


@pytest.mark.parametrize("damage", ["truncated", "text", "other zip"])
def test_other_files_are_rejected(tmp_path, fitted, damage):
    path = tmp_path / "sampler.melanet"
    fitted[0].save(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-400])
    elif damage == "text":
        path.write_text("hello")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("card.json", "{}")
    with pytest.raises(ValueError, match="intact file written by GANOversampler.save"):
        GANOversampler.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        GANOversampler.load(tmp_path / "nowhere")


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_label_is_named_by_its_row(missing):
    X, y = np.zeros((4, 8, 8, 1), np.uint8), ["a", "b", missing, "a"]
    for method in ("fit", "fit_resample"):
        with pytest.raises(ValueError, match=rf"y must hold a label.* {missing} in row 2"):
            getattr(GANOversampler(), method)(X, y)


def test_features_that_no_recipe_uses_are_refused():
    X = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 1), dtype=np.uint8)
    sampler = GANOversampler(features="imagenet", preset="paper", steps=1)
    with pytest.raises(ValueError, match="features='imagenet', but generator='unet'"):
        sampler.fit_resample(X, [0, 0, 0, 0, 1, 1])
