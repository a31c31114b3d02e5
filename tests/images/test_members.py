import os

import h5py
import numpy as np
import pytest

from melanet.images import open_file, open_hdf5

PICTURE = b"\xff\xd8 not decoded here"


def write(path, **members):
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            file[name] = value
    return path


def read(path):
    with open_file(path) as file:
        return file.read()


def test_files_and_members_are_opened_by_their_path(tmp_path):
    (tmp_path / "x.jpg").write_bytes(PICTURE)
    file = write(tmp_path / "a.h5", y=np.void(PICTURE))
    assert read(tmp_path / "x.jpg") == PICTURE
    assert read(file / "y") == PICTURE
    assert read(f"{file}/y") == PICTURE


def test_encoded_pictures_may_be_stored_in_several_types(tmp_path):
    file = write(
        tmp_path / "a.hdf5",
        opaque=np.void(PICTURE),
        text=np.bytes_(PICTURE),
        array=np.frombuffer(PICTURE, "uint8"),
    )
    assert [read(file / kind) for kind in ("opaque", "text", "array")] == [PICTURE] * 3


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    file = write(tmp_path / "a.hdf5", x=np.void(b"old"))
    assert read(file / "x") == b"old"
    write(tmp_path / "new.hdf5", x=np.void(b"new")).replace(file)
    assert read(file / "x") == b"new"


def test_a_file_stays_open_and_the_fifth_closes_the_first(tmp_path):
    files = [write(tmp_path / f"{i}.hdf5", x=np.void(b"x")) for i in range(5)]
    opened = [open_hdf5(file) for file in files[:4]]
    assert open_hdf5(files[0]) is opened[0]
    assert open_hdf5(tmp_path / "." / "0.hdf5") is opened[0]
    open_hdf5(files[4])
    assert open_hdf5(files[0]) is not opened[0]
    assert opened[0]["x"][()].tobytes() == b"x"  # who still reads from it may go on


def test_what_cannot_be_read_is_named(tmp_path):
    file = write(tmp_path / "a.hdf5", x=np.void(b"x"), **{"group/y": np.void(b"y")})
    for name in ("absent", "group"):
        with pytest.raises(ValueError, match=f"no picture '{name}' that can be read in the HDF5"):
            read(file / name)
    (tmp_path / "b.hdf5").write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match=r"b\.hdf5 is not an HDF5 file"):
        read(tmp_path / "b.hdf5" / "x")
    for absent in ("none.jpg", os.path.join("none.hdf5", "x")):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / absent)
