"""ISIC 2024 (SLICE-3D): the HDF5 file and table of the challenge, or archives of JPEGs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from melanet.datasets._isic import fetch_isic, make_bunch
from melanet.datasets._isic_catalogue import COLUMNS_2024
from melanet.datasets._isic_labels import read_labels
from melanet.images import open_hdf5
from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_IMAGES, _TABLE = "train-image.hdf5", "train-metadata.csv"  # the challenge's names
_MOST_NAMED = 20


def fetch_isic2024(
    path: PathLike | None = None,
    *,
    table: PathLike | None = None,
    subset: str = "train",
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    mirror: str | None = None,
    verbose: int = 0,
) -> Bunch | tuple[NDArray[np.str_], NDArray[np.int64]]:
    r"""List the images and labels of ISIC 2024 (SLICE-3D), in an HDF5 file or downloaded.

    401,059 crops of total-body photographs of 1,042 patients, 393 of them malignant. With `path`,
    the challenge's HDF5 file is read: no picture before it is needed, and nothing is downloaded.
    Without it, ISIC's archives of JPEGs are downloaded and extracted, like those of the other
    years. Targets: 0 is benign, 1 is malignant.

    Parameters
    ----------
    path : str, path-like or None, default=None
        HDF5 file with one encoded picture for each id, or the folder with
        ``train-image.hdf5``. None downloads.
    table : str, path-like or None, default=None
        CSV file with the columns ``isic_id`` (the first one) and ``target``, and, if there,
        ``patient_id`` and ``lesion_id``. None takes ``train-metadata.csv`` beside the HDF5 file.
        A table with a part of the rows gives a part of the images.
    subset : {"train", "permissive"}, default="train"
        Download all images (CC-BY-NC), or the 217,477 that are CC-BY.
    data_home : str, path-like or None, default=None
        For the download; as in `fetch_isic2016`.
    download_if_missing : bool, default=True
        For the download.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)``.
    mirror : str or None, default=None
        For the download.
    verbose : int, default=0
        For the download.

    Returns
    -------
    Bunch
        As `fetch_isic2016` returns it. ``paths`` of pictures in an HDF5 file are
        ``<file>/<isic_id>``, which `load_images`, `melanet.over_sampling.BalancedBatches`,
        `melanet.over_sampling.oversample_files` and everything else here that takes image files
        reads. ``groups`` joins the images of a patient, and ``frame`` holds the clinical
        columns of the table.

        With `return_X_y`, only the tuple ``(paths, target)``.

    Raises
    ------
    ValueError
        If a file is not of this form, images of the table are missing in the HDF5 file, or
        parameters of the download are given beside `path`.
    FileNotFoundError
        If a file does not exist.
    ConnectionError
        If no server provided a file.
    OSError
        If the disk is full, or the folder is not writable.

    Notes
    -----
    The names of the pictures and columns of the table are held in memory, about half a kilobyte
    for each picture; the pictures are not. ISIC has published no hashes of its archives. Not for
    diagnosis.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import h5py
    >>> import numpy as np
    >>> from PIL import Image
    >>> from melanet.datasets import fetch_isic2024, load_images
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (40, 40), (200, 150, 140)).save(folder / "skin.jpg")
    >>> with h5py.File(folder / "train-image.hdf5", "w") as file:
    ...     for name in ("ISIC_0015670", "ISIC_0015845"):
    ...         file[name] = np.void((folder / "skin.jpg").read_bytes())
    >>> rows = "isic_id,target,patient_id\nISIC_0015670,0,IP_1\nISIC_0015845,1,IP_1\n"
    >>> _ = (folder / "train-metadata.csv").write_text(rows)
    >>> data = fetch_isic2024(folder)
    >>> data.target.tolist(), data.groups.tolist()
    ([0, 1], ['ISIC_0015670', 'ISIC_0015670'])
    >>> load_images(data.paths, 32).shape
    (2, 32, 32, 3)
    """
    if path is None:
        if table is not None:
            raise ValueError(f"table must be left out without path. Received: table={str(table)!r}")
        return fetch_isic(
            2024,
            subset=subset,
            data_home=data_home,
            download_if_missing=download_if_missing,
            return_X_y=return_X_y,
            mirror=mirror,
            verbose=verbose,
        )
    if subset != "train" or data_home is not None or mirror is not None:
        raise ValueError(
            "subset, data_home and mirror are for the download, which path replaces. Received: "
            f"path={str(path)!r}, subset={subset!r}, data_home={data_home!r}, mirror={mirror!r}"
        )
    file, table = _find_files(Path(path), None if table is None else Path(table))
    ids, target = read_labels(table, {"benign": None, "malignant": "target"}, most_bytes=None)
    names = set(open_hdf5(file))
    missing = [image for image in ids if image not in names]
    if missing:
        raise ValueError(
            f"{table} and {file} must belong together. Received: {len(missing)} of {len(ids)} "
            f"images of the table are not in the HDF5 file: {join_names(missing, _MOST_NAMED)}"
        )
    del names
    paths = np.char.add(f"{file}/", np.array(ids, dtype=str))
    if return_X_y:
        return paths, target
    return make_bunch(2024, file.name, paths, ids, target, table, COLUMNS_2024)


def _find_files(path: Path, table: Path | None) -> tuple[Path, Path]:
    """Return the HDF5 file and the table."""
    if path.is_dir():
        path = path / _IMAGES
    table = path.with_name(_TABLE) if table is None else table
    for name, file in (("path", path), ("table", table)):
        if not file.is_file():
            raise FileNotFoundError(f"{name} must be an existing file. Received: {str(file)!r}")
    if path.suffix.lower() not in (".hdf5", ".h5"):
        raise ValueError(f"path must end in .hdf5 or .h5. Received: {str(path)!r}")
    return path, table
