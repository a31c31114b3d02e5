import numpy as np
import pytest

from melanet.datasets import load_image_table


@pytest.fixture
def table(tmp_path):
    def write(*lines, header="path,label"):
        path = tmp_path / "table.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").touch()
    return write


def test_cells_are_stripped_and_columns_found_by_name(table, tmp_path):
    found = load_image_table(table("benign , 7, a.png", "x,8,b.png ", header=" label,age,path"))
    assert found.labels.tolist() == ["benign", "x"]
    assert found.paths.tolist() == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]


@pytest.mark.filterwarnings("error")
def test_spellings_of_a_class_are_one(table):
    assert load_image_table(table("a.png,b ", "b.png, b")).labels.tolist() == ["b", "b"]
    with pytest.warns(UserWarning, match=r"'1' \(line 2\) and '1.0' \(line 3\)"):
        assert np.unique(load_image_table(table("a.png,1", "b.png,1.0")).labels).tolist() == ["1"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.png,x", "link.png,x"], r"line 2 \(a.png, 'x'\) and line 3 \(link.png, 'x'\) are the"),
        (["a.png,x", "./a.png,y"], r"line 2 .*'x'.* and line 3 .*'y'"),
        (["a.png,x", "b.png,nan", "c.png, "], "none in line 3, line 4"),
        (["a,1.png,x", "b.png,x"], "at most 2 cells in a row.*more in line 2"),
        (["a.png"], "none in line 2"),
    ],
)
def test_rows_that_cannot_be_used_are_named(table, lines, message):
    with pytest.raises(ValueError, match=message):
        load_image_table(table(*lines))


def test_a_column_that_occurs_twice_is_refused(table):
    with pytest.raises(ValueError, match="each once"):
        load_image_table(table("a.png,x,y", header="path,label,label"))


def test_groups_are_the_column_group_or_patients_and_lesions_together(table):
    lines = ["a.png,x,P1,L1,", "b.png,x,P1,L2,g", "c.png,y,,L2,g", "d.png,y,,,"]
    header = "path,label,patient_id,lesion_id"
    found = load_image_table(table(*(line.rpartition(",")[0] for line in lines), header=header))
    a, b, c, d = found.groups
    assert a == b == c != d
    assert list(found.group_columns) == ["patient_id", "lesion_id"]
    a, b, c, d = load_image_table(table(*lines, header=f"{header},group")).groups
    assert len({a, b, d}) == 3
    assert b == c
    named = load_image_table(table(*lines, header=f"{header},group"), groups="patient_id")
    assert named.groups[0] == named.groups[1]
    assert len(set(named.groups)) == 3
    assert list(named.group_columns) == ["patient_id"]


def test_a_table_without_groups_has_none(table):
    found = load_image_table(table("a.png,x", "b.png,y"))
    assert found.groups is None
    assert found.group_columns == {}
    with pytest.raises(ValueError, match="must have the columns path, label, ward"):
        load_image_table(table("a.png,x"), groups="ward")
    with pytest.raises(ValueError, match="each once"):
        load_image_table(table("a.png,x,1,2", header="path,label,group,group"))
