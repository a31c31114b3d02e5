"""Zip archives of images: validation and atomic extraction."""

import contextlib
import io
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from melanet.images import describe_error, verify_picture
from melanet.utils._download import check_space, explain_disk_errors, file_lock, progress_bar
from melanet.utils._files import atomic_path
from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_SUFFIXES = (".jpg", ".jpeg")
_LARGEST = 64 << 20  # bytes of one image; the largest published one has about 20 MB
_LARGEST_TABLE = 1 << 30  # bytes of one other file; the table of 2024 has about 250 MB
# JPEGs hardly compress, so a larger ratio of extracted to compressed size marks a zip bomb.
_RATIO, _SLACK = 10, 1 << 20
_CHUNK = 1 << 20


@contextlib.contextmanager
def open_zip(path: PathLike) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; raise ValueError if it, or a member read in the block, is corrupt."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"the file is not a complete zip archive ({error})") from error


def check_archive(path: Path, ids: Sequence[str], extra: Sequence[str] = ()) -> None:
    """Read all of an archive and raise ValueError unless it holds the expected images.

    Parameters
    ----------
    path : Path
        Zip file.
    ids : sequence of str
        File names without suffix of exactly the images that it must hold.
    extra : sequence of str
        Names of other files to extract if they are present.

    Raises
    ------
    ValueError
        If members are missing, unexpected, duplicate, links, outside the folder, encrypted, far
        larger than images are, or incomplete images; the message lists all of them. Or if the
        archive is corrupt.
    """
    problems = []
    with open_zip(path) as archive:
        for name, member in _select_members(archive, path, ids, extra).items():
            if name in extra:
                _read_through(archive, member)
                continue
            data = archive.read(member)  # checks the CRC
            try:
                verify_picture(io.BytesIO(data))
            except Exception as error:  # decoders raise many types for corrupt files
                problems.append(f"{name} ({describe_error(error)})")
    if problems:
        raise ValueError(f"the archive contains unreadable images: {join_names(problems)}")


def _read_through(archive, member):
    """Read a member part by part; zipfile checks its CRC at the end."""
    with archive.open(member) as file:
        while file.read(_CHUNK):
            pass


def unpack(
    path: Path, folder: Path, ids: Sequence[str], extra: Sequence[str] = (), verbose: int = 0
) -> None:
    """Extract the images of an archive into a new folder without subfolders.

    Files are written to a hidden folder, which is renamed at the end. After an interruption,
    files there whose CRC is correct are kept. Masks, superpixels and texts are not extracted.

    Parameters
    ----------
    path : Path
        Zip file.
    folder : Path
        Destination; if it exists, nothing is done.
    ids : sequence of str
        Images, as for `check_archive`.
    extra : sequence of str
        Other files, as for `check_archive`.
    verbose : int, default=0
        1 shows a progress bar.

    Raises
    ------
    ValueError
        If the archive does not hold the expected images; see `check_archive`.
    OSError
        If the disk is full, or the folder is not writable.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    with explain_disk_errors(folder, partial), file_lock(folder):
        if folder.is_dir():
            return
        try:
            with open_zip(path) as archive:
                members = _select_members(archive, path, ids, extra)
                _extract(archive, members, partial, folder.name, verbose)
        except ValueError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ValueError(
                f"{path} cannot be extracted: {error}. Delete it and {path.name}.json next to it, "
                "and it is downloaded again"
            ) from error
        partial.replace(folder)


def _extract(archive, members, partial, title, verbose):
    """Extract the members that are not in the folder yet; remove other files from it."""
    partial.mkdir(exist_ok=True)
    present = set()
    for file in partial.iterdir():
        member = members.get(file.name)
        if member is not None and _is_member(file, member):
            present.add(file.name)
        else:
            file.unlink()
    missing = {name: member for name, member in members.items() if name not in present}
    total = sum(member.file_size for member in missing.values())
    check_space(partial, total)
    done = 0
    with progress_bar(f"unpacking {title}", verbose) as show:
        for name, member in missing.items():
            with (
                atomic_path(partial / name) as unfinished,
                archive.open(member) as source,
                unfinished.open("wb") as file,
            ):
                shutil.copyfileobj(source, file, _CHUNK)
            done += member.file_size
            show(done, total)


def _is_member(file, member):
    return file.stat().st_size == member.file_size and zlib.crc32(file.read_bytes()) == member.CRC


def _select_members(archive, path, ids, extra):
    """Return file name -> member to extract; raise ValueError if the archive is unsafe or wrong."""
    expected, members, problems = set(ids), {}, []
    for member in archive.infolist():
        reason = _find_danger(member)
        if reason:
            problems.append(f"{member.orig_filename!r} {reason}")
            continue
        entry = PurePosixPath(member.filename)
        if member.is_dir() or entry.parts[0] == "__MACOSX" or entry.name.startswith("."):
            continue
        is_image = entry.suffix.lower() in _SUFFIXES
        if is_image and entry.stem not in expected:
            problems.append(f"{member.filename} has no label")
        elif is_image or entry.name in extra:
            name = f"{entry.stem}.jpg" if is_image else entry.name
            if name in members:
                problems.append(f"{member.filename} occurs twice")
            most = _LARGEST if is_image else _LARGEST_TABLE
            if member.file_size > most or _is_bomb(member.file_size, member.compress_size):
                problems.append(f"{member.filename} expands to {member.file_size} bytes")
            members[name] = member
    missing = [f"{image}.jpg is missing" for image in ids if f"{image}.jpg" not in members]
    total = sum(member.file_size for member in members.values())
    if total > _RATIO * path.stat().st_size + _SLACK:
        problems.append(f"all members expand to {total} bytes")
    if problems or missing:
        raise ValueError(
            f"the archive does not hold the expected images: {join_names(problems + missing)}"
        )
    return members


def _is_bomb(size, packed):
    return size > _RATIO * packed + _SLACK


def _find_danger(member):
    """Return why a member must not be extracted, None if it may be."""
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name) or "\0" in name:
        return "is outside the folder"
    if not PurePosixPath(name).parts:
        return "has no name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    return None


def find_pictures(folder: PathLike, ids: Sequence[str]) -> list[str]:
    """Return the path of each image in an extracted folder.

    Raises
    ------
    ValueError
        If images are missing or have no label; the message lists all of them.
    """
    paths = {
        path.stem: str(path)
        for path in sorted(Path(folder).rglob("*"))
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    }
    expected = set(ids)
    problems = [f"{image}.jpg is missing" for image in ids if image not in paths]
    problems += [f"{Path(p).name} has no label" for i, p in paths.items() if i not in expected]
    if problems:
        raise ValueError(
            f"{folder} does not hold the labelled images: {join_names(problems)}. Delete the "
            "folder, and it is extracted again"
        )
    return [paths[image] for image in ids]
