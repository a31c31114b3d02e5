"""Labels and metadata of the ISIC challenges, in all published spellings."""

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanet.datasets._isic_archives import open_zip
from melanet.utils._validation import join_names

_LARGEST_TABLE = 64 << 20  # bytes; the largest published one has 3 MB
_ID = re.compile(r"ISIC_\d+", re.IGNORECASE)
_WORDS = {"benign": 0, "malignant": 1}
_MOST_STRANGE = 200  # rows that a message lists
_STRANGE = (
    "{name} is not a table of ISIC images: rows must start with a name such as ISIC_0000000. "
    "Received: {found}"
)


def read_labels(
    path: Path,
    classes: Mapping[str, str | None],
    n_images: int | None = None,
    most_bytes: int | None = _LARGEST_TABLE,
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
    most_bytes : int or None, default=64 MiB
        Size from which a file is refused as no table of labels.

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
    named = {name: column for name, column in classes.items() if column is not None}
    default = next((i for i, column in enumerate(classes.values()) if column is None), None)
    positions = [list(classes).index(name) for name in named]
    ids, target, problems = [], [], []
    with open_rows(path, most_bytes) as (header, rows):
        columns, rows = _find_columns(_final_name(path), header, rows, list(named.values()))
        for number, row in rows:
            ids.append(_image_id(row[0]))
            values = [_zero_or_one(row[k]) if k < len(row) else None for k in columns]
            n_classes = values.count(1)
            if None in values:
                cells = ", ".join(row[k] for k in columns if k < len(row))
                problems.append(f"line {number} ({ids[-1]}): {cells or 'no label'!r}")
            elif n_classes > 1 or (n_classes == 0 and default is None):
                problems.append(f"line {number} ({ids[-1]}): {n_classes} classes")
            target.append(positions[values.index(1)] if 1 in values else default)
    if not ids:
        raise ValueError(_STRANGE.format(name=_final_name(path), found="only a header"))
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
    read_columns(path, ids, ())


def read_columns(
    path: Path, ids: Sequence[str], columns: Sequence[str]
) -> dict[str, NDArray[np.str_]]:
    """Read some columns of a table of metadata, row by row.

    Parameters
    ----------
    path : Path
        CSV file with a header line, or a zip file that holds one. The first column has the ids.
    ids : sequence of str of length n
        Images, in the order of the result.
    columns : sequence of str
        Columns to read; those that the table lacks are left out.

    Returns
    -------
    dict of str to ndarray of str of shape (n,)
        Column -> its cells.

    Raises
    ------
    ValueError
        If the table has no header, or not exactly one complete row for each of `ids`.
    """
    name, positions = _final_name(path), {image: i for i, image in enumerate(ids)}
    with open_rows(path) as (header, rows):
        if header is None:
            raise ValueError(f"{name} has no header line")
        places = {column: header.index(column) for column in columns if column in header}
        cells: dict[str, list[str]] = {column: [""] * len(ids) for column in places}
        found: list[str] = []
        incomplete = []
        for _, row in rows:
            position = positions.get(row[0])
            if position is None:
                continue
            found.append(row[0])
            if len(row) != len(header):
                incomplete.append(row[0])
                continue
            for column, place in places.items():
                cells[column][position] = row[place]
    _check_unique(name, found)
    missing = positions.keys() - set(found)
    if missing:
        raise ValueError(f"{name} has no row for {join_names(sorted(missing))}")
    if incomplete:
        raise ValueError(
            f"{name} has rows of another length than its header: {join_names(incomplete)}"
        )
    return {column: np.array(values, dtype=str) for column, values in cells.items()}


@contextlib.contextmanager
def open_rows(
    path: Path, most_bytes: int | None = None
) -> Iterator[tuple[list[str] | None, Iterator[tuple[int, list[str]]]]]:
    """Open a table; yield its header, or None, and an iterator of line numbers and rows.

    Raises
    ------
    ValueError
        If the table is empty, larger than `most_bytes`, not CSV in UTF-8, or a row does not begin
        with the name of an image.
    """
    name = _final_name(path)
    try:
        with _open_text(path, most_bytes) as text:
            reader = csv.reader(text, strict=True, skipinitialspace=True)
            rows = (
                (reader.line_num, [cell.strip() for cell in row])
                for row in reader
                if any(map(str.strip, row))
            )
            first = next(rows, None)
            if first is None:
                raise ValueError(f"{name} is empty")
            header = None if _ID.match(first[1][0]) else first[1]
            yield header, _checked(name, rows if header else chain([first], rows))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} is not a CSV file in UTF-8 ({error})") from error


def _checked(name, rows):
    """Yield rows; raise ValueError at the end if rows do not begin with the name of an image."""
    strange: list[str] = []
    for number, row in rows:
        if _ID.match(row[0]):
            yield number, row
        elif len(strange) < _MOST_STRANGE:
            strange.append(f"line {number} ({row[0]!r})")
    if strange:
        raise ValueError(_STRANGE.format(name=name, found=join_names(strange)))


@contextlib.contextmanager
def _open_text(path, most_bytes):
    def refuse(name, size):
        if most_bytes is not None and size > most_bytes:
            raise ValueError(f"{name} is too large for a table of labels")

    with open(path, "rb") as file:
        packed = file.read(4) == b"PK\x03\x04"
    if not packed:
        refuse(_final_name(path), path.stat().st_size)
        with open(path, encoding="utf-8-sig", newline="") as text:
            yield text
        return
    with open_zip(path) as archive:
        tables = [m for m in archive.infolist() if _is_table(m.filename)]
        if len(tables) != 1:
            raise ValueError(f"{_final_name(path)} must hold one CSV file. Received: {len(tables)}")
        refuse(tables[0].filename, tables[0].file_size)
        with archive.open(tables[0]) as member:
            yield io.TextIOWrapper(member, encoding="utf-8-sig", newline="")


def _final_name(path):
    """Return the name that a file has after its download."""
    return path.name.removeprefix(".").removesuffix(".partial")


def _is_table(name):
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


def _find_columns(name, header, rows, wanted):
    """Return the indices of the wanted columns, and the rows."""
    if header is None or (len(wanted) == 1 and wanted[0] not in header):
        rows = list(rows)
        widths = {len(row) for _, row in rows}
        if not rows:
            return [], rows
        if len(wanted) > 1 or (header and len(header) != 2) or max(widths) > 2:
            raise ValueError(
                f"{name} must have a header with the columns {wanted}. Received: "
                f"{header or 'no header'}"
            )
        return [1], rows
    missing = [column for column in wanted if column not in header]
    if missing:
        raise ValueError(f"{name} must have the columns {missing}. Received: {header}")
    return [header.index(column) for column in wanted], rows


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
