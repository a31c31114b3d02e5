import numpy as np
import pytest

from melanet.utils._groups import check_groups, join_groups


def flooded(names, columns):
    """Return groups by repeated comparison of all pairs of rows."""
    group = list(range(len(names)))
    for _ in names:
        for i in range(len(names)):
            for j in range(len(names)):
                if any(column[i] and column[i] == column[j] for column in columns):
                    group[i] = group[j] = min(group[i], group[j])
    return [names[k] for k in group]


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_share_a_value_in_any_column_share_a_group(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 25))
    names = [f"row {i}" for i in range(n)]
    columns = [
        [f"{kind}{k}" if k else "" for k in rng.integers(0, 12, n)] for kind in ("P", "L", "")
    ]
    assert join_groups(names, *columns).tolist() == flooded(names, columns)


def test_missing_values_join_nothing():
    names = ["a", "b", "c"]
    assert join_groups(names, ["", "nan", " "]).tolist() == names
    assert join_groups(names).tolist() == names
    assert join_groups([], [], []).tolist() == []


def test_equal_values_of_two_columns_are_different_things():
    assert join_groups(["a", "b"], ["1", "2"], ["2", "1"]).tolist() == ["a", "b"]


def test_groups_are_compared_by_their_texts():
    assert check_groups(np.array([1, 1.0, "1 ", "x"], object), 4).tolist() == ["1", "1", "1", "x"]
    assert check_groups(None, 4) is None
    with pytest.raises(ValueError, match=r"groups must have one entry for each sample"):
        check_groups([1, 2], 3)
    with pytest.raises(ValueError, match="groups must hold a label everywhere.*row 1"):
        check_groups([1, None], 2)
