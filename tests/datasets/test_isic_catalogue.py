import re
from itertools import chain

import pytest

from melanet.datasets._isic_catalogue import CHALLENGES, COLUMNS_2024

SUBSETS = [(year, s) for year, row in CHALLENGES.items() for s in row.subsets]


def test_the_catalogue_lists_the_published_sizes():
    sizes = {(year, subset): CHALLENGES[year].subsets[subset].n_images for year, subset in SUBSETS}
    assert sizes == {
        (2016, "train"): 900,
        (2016, "test"): 379,
        (2017, "train"): 2000,
        (2017, "validation"): 150,
        (2017, "test"): 600,
        (2018, "train"): 10015,
        (2018, "validation"): 193,
        (2018, "test"): 1512,
        (2019, "train"): 25331,
        (2019, "test"): 8238,
        (2020, "train"): 33126,
        (2024, "train"): 401059,
        (2024, "permissive"): 217477,
    }
    assert [digest[:8] for digest in CHALLENGES[2016].subsets["train"].sha256.values()] == [
        "d78bd1de",
        "0ffadd63",
    ]


@pytest.mark.parametrize(("year", "subset"), SUBSETS)
def test_the_files_of_a_subset_are_of_their_kinds(year, subset):
    part = CHALLENGES[year].subsets[subset]
    assert part.archive.endswith(".zip")
    assert part.labels.endswith((".csv", ".zip"))
    assert part.metadata is None or part.metadata.endswith(".csv")
    assert not part.metadata_inside or part.metadata
    assert part.sha256.keys() <= {part.archive, part.labels}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in part.sha256.values())


def test_no_two_subsets_share_a_file():
    parts = [part for row in CHALLENGES.values() for part in row.subsets.values()]
    files = list(chain.from_iterable({part.archive, part.labels} for part in parts))
    assert len(set(files)) == len(files)


def test_classes_have_a_column_each_and_at_most_one_has_none():
    for row in CHALLENGES.values():
        columns = list(row.classes.values())
        assert columns.count(None) <= 1
        assert len(set(columns)) == len(columns) > 1
        assert not set(row.unlabelled) & row.subsets.keys()
        assert row.licence.startswith("CC")
        assert row.citations
    assert {"isic_id", "patient_id", "lesion_id"} <= set(COLUMNS_2024)
