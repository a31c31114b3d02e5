"""Labels and metadata of the ISIC challenges, in all published spellings."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanet.datasets._isic_archives import open_zip
from melanet.utils._validation import join_names

_LARGEST_TABLE = 64 << 20  # bytes; the largest published one has 3 MB
_ID = re.compile(r"ISIC_\d+", re.IGNORECASE)
_WORDS = {"benign": 0, "malignant": 1}


def read_labels(
    path: Path, classes: Mapping[str, str | None], n_images: int | None = None
) -> tuple[list[str], NDArray[np.int64]]:
    r"""Read a table of labels.

    Parameters
    ----------
    path : Path
        CSV file, with or without a header, or a zip file that holds one.
    classes : dict
        Target name -> column; None for rows in which no other column has a 1.
    n_images : int or None, default=None
        Expected number of rows.

    Returns
    -------
    ids : list of str
        Image names without suffix, in the order of the table.
    target : ndarray of int64 of shape (n,)
        Indices into `classes`.

    Raises
    ------
    ValueError
        If the table has unknown spellings, rows of no class or of several, duplicate ids, a
        missing column or a wrong number of rows; the message lists all problems of a kind.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.datasets._isic_labels import read_labels
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     _ = path.write_bytes(b"ISIC_0000000,benign\r\nISIC_0000002,1.0\r\n")
    ...     read_labels(path, {"benign": None, "malignant": "target"})
    (['ISIC_0000000', 'ISIC_0000002'], array([0, 1]))
    """
    header, rows = _read_rows(path)
    named = {name: column for name, column in classes.items() if column is not None}
    columns = _find_columns(_final_name(path), header, rows, list(named.values()))
    default = next((i for i, column in enumerate(classes.values()) if column is None), None)
    positions = [list(classes).index(name) for name in named]
    ids, target, problems = [], [], []
    for number, row in rows:
        ids.append(_image_id(row[0]))
        values = [_zero_or_one(row[k]) if k < len(row) else None for k in columns]
        n_classes = values.count(1)
        if None in values:
            problems.append(f"line {number} ({ids[-1]}): {', '.join(row[1:]) or 'no label'!r}")
        elif n_classes > 1 or (n_classes == 0 and default is None):
            problems.append(f"line {number} ({ids[-1]}): {n_classes} classes")
        target.append(positions[values.index(1)] if 1 in values else default)
    if problems:
        raise ValueError(
            f"{_final_name(path)} has labels other than benign, malignant, 0 and 1, or rows "
            f"that do not have exactly one class: {join_names(problems)}"
        )
    _check_unique(_final_name(path), ids)
    if n_images is not None and len(ids) != n_images:
        raise ValueError(
            f"{_final_name(path)} must have {n_images} labelled images, as published. "
            f"Received: {len(ids)}"
        )
    return ids, np.array(target, dtype=np.int64)


def check_table(path: Path, ids: Sequence[str]) -> None:
    """Raise ValueError unless a CSV file has a header and one row for each of `ids`."""
    header, rows = _read_rows(path)
    if header is None:
        raise ValueError(f"{_final_name(path)} has no header line")
    wanted = set(ids)
    rows = [row for _, row in rows if row[0] in wanted]
    _check_unique(_final_name(path), [row[0] for row in rows])
    missing = wanted.difference(row[0] for row in rows)
    if missing:
        raise ValueError(f"{_final_name(path)} has no row for {join_names(sorted(missing))}")
    incomplete = [row[0] for row in rows if len(row) != len(header)]
    if incomplete:
        raise ValueError(
            f"{_final_name(path)} has rows of another length than its header: "
            f"{join_names(incomplete)}"
        )


def _read_rows(path):
    """Return the header, or None, and the rows with their line numbers."""
    try:
        text = _read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
        rows = [
            (reader.line_num, [cell.strip() for cell in row])
            for row in reader
            if any(map(str.strip, row))
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{_final_name(path)} is not a CSV file in UTF-8 ({error})") from error
    if not rows:
        raise ValueError(f"{_final_name(path)} is empty")
    header = None if _ID.match(rows[0][1][0]) else rows.pop(0)[1]
    strange = [f"line {number} ({row[0]!r})" for number, row in rows if not _ID.match(row[0])]
    if strange or not rows:
        raise ValueError(
            f"{_final_name(path)} is not a table of ISIC images: rows must start with a name such "
            f"as ISIC_0000000. Received: {join_names(strange) or 'only a header'}"
        )
    return header, rows


def _read_bytes(path):
    if path.stat().st_size > _LARGEST_TABLE:
        raise ValueError(f"{_final_name(path)} is too large for a table of labels")
    data = path.read_bytes()
    if not data.startswith(b"PK\x03\x04"):
        return data
    with open_zip(path) as archive:
        tables = [m for m in archive.infolist() if _is_table(m.filename)]
        if len(tables) != 1:
            raise ValueError(f"{_final_name(path)} must hold one CSV file. Received: {len(tables)}")
        if tables[0].file_size > _LARGEST_TABLE:
            raise ValueError(f"{tables[0].filename} is too large for a table of labels")
        return archive.read(tables[0])


def _final_name(path):
    """Return the name that a file has after its download."""
    return path.name.removeprefix(".").removesuffix(".partial")


def _is_table(name):
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


def _find_columns(name, header, rows, wanted):
    """Return the indices of the wanted columns."""
    widths = {len(row) for _, row in rows}
    if header is None or (len(wanted) == 1 and wanted[0] not in header):
        if len(wanted) > 1 or (header and len(header) != 2) or max(widths) > 2:
            raise ValueError(
                f"{name} must have a header with the columns {wanted}. Received: "
                f"{header or 'no header'}"
            )
        return [1]
    missing = [column for column in wanted if column not in header]
    if missing:
        raise ValueError(f"{name} must have the columns {missing}. Received: {header}")
    return [header.index(column) for column in wanted]


def _image_id(cell):
    return re.sub(r"\.jpe?g$", "", cell, flags=re.IGNORECASE)


def _zero_or_one(cell):
    """Return 0 or 1, None for any other cell."""
    if cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value in (0.0, 1.0) else None


def _check_unique(name, ids):
    duplicates = [image for image, count in Counter(ids).items() if count > 1]
    if duplicates:
        raise ValueError(f"{name} lists images more than once: {join_names(duplicates)}")
