"""Zips of pictures: what they may hold, and their unpacking, whole or not at all."""

import contextlib
import io
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from melanet.images import describe_error, verify_picture
from melanet.utils._download import check_space, explain_disk_errors, file_lock, progress_bar
from melanet.utils._validation import join_names

_PICTURES = (".jpg", ".jpeg")
_LARGEST = 64 << 20  # bytes of one file; the largest published picture has about 20 MB
# JPEGs do not shrink in a zip. What unpacks to more than this is no archive of pictures.
_RATIO, _SLACK = 10, 1 << 20
_CHUNK = 1 << 20


@contextlib.contextmanager
def opened(path):
    """Open a zip; raise ValueError if it, or a member that is read, is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"what came is no whole zip ({error})") from error


def check_archive(path, ids, extra=()):
    """Read an archive to its end, and raise ValueError if it is not what was promised.

    Parameters
    ----------
    path : Path
        The zip.
    ids : sequence of str
        Names without suffix of the pictures that it must hold, all of them and no other.
    extra : sequence of str
        Names of other files to take from it if they are there.

    Raises
    ------
    ValueError
        Naming all members that are missing, not promised, there twice, links, outside the
        folder, encrypted, far larger than pictures are, or no whole pictures; or if bytes are
        damaged.
    """
    problems = []
    with opened(path) as archive:
        for name, member in _plan(archive, path, ids, extra).items():
            data = archive.read(member)  # which checks its CRC
            if name in extra:
                continue
            try:
                verify_picture(io.BytesIO(data))
            except Exception as error:  # decoders of damaged files raise all kinds
                problems.append(f"{name} ({describe_error(error)})")
    if problems:
        raise ValueError(f"the archive holds what is no whole picture: {join_names(problems)}")


def unpack(path, folder, ids, extra=(), verbose=0):
    """Unpack the pictures of an archive into a new folder, without folders inside it.

    Files arrive in a hidden folder, which is renamed at the end; what an interruption left there
    is used if its CRC is right. Masks, superpixels, texts and the like are left out.

    Parameters
    ----------
    path : Path
        The zip.
    folder : Path
        Where the pictures shall be; nothing is done if it is there.
    ids : sequence of str
        As for `check_archive`.
    extra : sequence of str
        As for `check_archive`.
    verbose : int, default=0
        1 shows a progress bar.

    Raises
    ------
    ValueError
        If the archive is not what was promised, as `check_archive` has found before.
    OSError
        If there is no room, or the folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    with explain_disk_errors(folder, partial), file_lock(folder):
        if folder.is_dir():
            return
        try:
            with opened(path) as archive:
                _fill(partial, archive, _plan(archive, path, ids, extra), folder.name, verbose)
        except ValueError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ValueError(
                f"{path} cannot be unpacked: {error}. Delete it and {path.name}.json beside it, "
                "and it is fetched again"
            ) from error
        partial.replace(folder)


def _fill(partial, archive, members, name, verbose):
    partial.mkdir(exist_ok=True)
    there = set()
    for file in partial.iterdir():
        member = members.get(file.name)
        if member is not None and _same(file, member):
            there.add(file.name)
        else:
            file.unlink()
    members = {name: member for name, member in members.items() if name not in there}
    total = sum(member.file_size for member in members.values())
    check_space(partial, total)
    done = 0
    with progress_bar(f"unpacking {name}", verbose) as show:
        for name, member in members.items():
            with archive.open(member) as source, open(partial / f".{name}", "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            (partial / f".{name}").replace(partial / name)
            done += member.file_size
            show(done, total)


def _same(file, member):
    return file.stat().st_size == member.file_size and zlib.crc32(file.read_bytes()) == member.CRC


def _plan(archive, path, ids, extra):
    """Return file name -> member for what is to be unpacked; raise ValueError if it may not be."""
    promised, members, problems = set(ids), {}, []
    for member in archive.infolist():
        reason = _why_unsafe(member)
        if reason:
            problems.append(f"{member.orig_filename!r} {reason}")
            continue
        place = PurePosixPath(member.filename)
        if member.is_dir() or place.parts[0] == "__MACOSX" or place.name.startswith("."):
            continue
        picture = place.suffix.lower() in _PICTURES
        if picture and place.stem not in promised:
            problems.append(f"{member.filename} has no label")
        elif picture or place.name in extra:
            name = f"{place.stem}.jpg" if picture else place.name
            if name in members:
                problems.append(f"{member.filename} is there twice")
            if _is_bomb(member.file_size, member.compress_size):
                problems.append(f"{member.filename} unpacks to {member.file_size} bytes")
            members[name] = member
    missing = [f"{image}.jpg is missing" for image in ids if f"{image}.jpg" not in members]
    total = sum(member.file_size for member in members.values())
    if total > _RATIO * path.stat().st_size + _SLACK:
        problems.append(f"all of it unpacks to {total} bytes")
    if problems or missing:
        raise ValueError(f"the archive is not what it promised: {join_names(problems + missing)}")
    return members


def _is_bomb(size, packed):
    return size > _LARGEST or size > _RATIO * packed + _SLACK


def _why_unsafe(member):
    """Tell what is wrong with a member, None if nothing."""
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name) or "\0" in name:
        return "leaves the folder"
    if not PurePosixPath(name).parts:
        return "has no name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    return None


def find_pictures(folder, ids):
    """Return the path of each picture in an unpacked folder, as a list of str.

    Raises
    ------
    ValueError
        Naming all pictures that are missing or have no label.
    """
    places = {
        place.stem: str(place)
        for place in sorted(Path(folder).rglob("*"))
        if place.suffix.lower() in _PICTURES and not place.name.startswith(".")
    }
    promised = set(ids)
    problems = [f"{image}.jpg is missing" for image in ids if image not in places]
    problems += [f"{Path(p).name} has no label" for i, p in places.items() if i not in promised]
    if problems:
        raise ValueError(
            f"{folder} does not hold the labelled pictures: {join_names(problems)}. Delete the "
            "folder, and it is unpacked again"
        )
    return [places[image] for image in ids]
