import numpy as np
import pytest
from negatives import negative

from melanet.over_sampling._plans import (
    check_needs,
    check_sample_shapes,
    image_size,
    load_cyclegans,
    plan_classes,
)


def test_the_largest_other_class_is_translated_or_all_others():
    y = np.array(list("aabbbccc"))
    plans = plan_classes(y, {"a": 2, "b": 1}, seed=3)
    assert [plan.source_rows.tolist() for plan in plans] == [[2, 3, 4], [5, 6, 7]]
    assert [plan.target_rows.tolist() for plan in plans] == [[0, 1], [2, 3, 4]]
    (every,) = plan_classes(y, {"a": 2}, seed=3, sources="all")
    assert every.source_rows.tolist() == [2, 3, 4, 5, 6, 7]
    # The seeds of a class do not depend on the other classes' needs.
    assert every.generation_seed == plans[0].generation_seed != plans[1].generation_seed
    assert every.training_seed == plans[0].training_seed != plans[1].training_seed


@pytest.mark.parametrize(
    ("n", "copies", "most", "translations", "exact"),
    [
        (40, 0.0, None, 40, 0),
        (40, 0.5, None, 20, 0),
        (7, 0.5, None, 3, 0),  # 3.5 copies are rounded to the even 4
        (40, 0.5, 4, 20, 0),  # 20 of five real samples are just allowed
        (40, 0.5, 2, 10, 20),  # ten translations and their ten copies; the rest is exact
        (40, 0.25, 1.5, 7, 31),  # 7 / .75 samples of the mix are 9
        (40, 0.5, 0, 0, 40),
    ],
)
def test_copies_and_the_greatest_number_of_translations(n, copies, most, translations, exact):
    y = np.repeat([0, 1], [8, 5])
    (plan,) = plan_classes(y, {1: n}, seed=0, copies=copies, max_translations=most)
    assert (plan.n_samples, plan.n_translations, plan.n_exact) == (n, translations, exact)
    bare = plan.without_translations()
    assert (bare.n_samples, bare.n_translations, bare.n_exact) == (n, 0, n)
    assert bare.generation_seed == plan.generation_seed


def test_the_numbers_of_missing_samples_are_validated():
    y = np.array([0, 0, 0, 1])
    assert check_needs({0: 0, 1: 2.0}, y, {1: "a CycleGAN"}) == {1: 2}
    with pytest.raises(ValueError, match="Class 1 has 1 sample"):
        check_needs({1: 2}, y, {})
    with pytest.raises(ValueError, match=r"whole numbers of samples. Received: 1.5 more"):
        check_needs({0: 1.5}, y, {})


def test_models_of_unknown_classes_are_rejected():
    with pytest.raises(
        ValueError, match=r"models .* classes of y, \['a', 'b'\]. Received: \['c'\]"
    ):
        load_cyclegans({"c": "nowhere.keras"}, "models", np.array(["a", "b"]))


def test_sizes_follow_the_models_and_all_models_have_them():
    assert image_size(None, {}) == 256
    assert image_size((8, 12), {}) == (8, 12)
    gans = load_cyclegans({"1": negative((8, 12, 3))}, "models", np.array([0, 1]))
    assert list(gans) == [1]  # labels are matched by their text
    assert image_size(None, gans) == (8, 12)
    check_sample_shapes(gans, "models", (8, 12, 3), "")
    with pytest.raises(ValueError, match=r"models\[1\] translates .*\(8, 12, 3\).*\(9, 12, 3\)"):
        check_sample_shapes(gans, "models", (9, 12, 3), "")
