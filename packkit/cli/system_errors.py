"""What the system refuses, in words: which file or folder, what is needed, and the way out."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of this user is used up"}
_GO_ON = "once there is room, the same command goes on from there"


def in_words(error: OSError, flags: Sequence[tuple[str, str]] = ()) -> str:
    """Returns what the system refused, and what can be done.

    Args:
        error: Error of the system.
        flags: Flags and their values, as given; the one whose value is the path is named.
    """
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    if not names or error.strerror is None or error.errno is None:
        return str(error)
    # A file is written under another name first.
    path = Path(names[-1].removesuffix(".tmp"))
    explain = _EXPLAINED.get(error.errno)
    said = explain(path, error.errno) if explain is not None else None
    if said is None:
        return f"{' -> '.join(names)}: {error.strerror}"
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    way_out = f"name another {_flag_of(path, flags) or 'place'}"
    return f"{said}{notes}; {way_out}" if error.errno not in _FULL else f"{said}{notes}; {_GO_ON}"


def _full(path: Path, code: int) -> str:
    folder = _nearest(path)
    usage = shutil.disk_usage(folder)
    said = f"cannot write {path}: {_FULL[code]}"
    return f"{said}, {usage.free:,} of {usage.total:,} bytes are free at {_mount_of(folder)}"


def _read_only(path: Path, code: int) -> str:
    return f"cannot write to {path}: its file system is read-only"


def _forbidden(path: Path, code: int) -> str:
    is_there = os.path.exists(path)
    if is_there and not os.access(path, os.R_OK):
        return f"this user may not read {path}"
    folder = _nearest(path.parent)
    if (is_there and not os.access(path, os.W_OK)) or not os.access(folder, os.W_OK):
        return f"cannot write to {path}: it is read-only for this user"
    return f"this user may not do that to {path}"


def _no_folder(path: Path, code: int) -> str | None:
    if os.path.isfile(path):
        return f"{path} must be a folder, but it is a file"
    above = next((folder for folder in path.parents if os.path.isfile(folder)), None)
    return None if above is None else f"{path} must lie in a folder, but {above} is a file"


def _no_file(path: Path, code: int) -> str:
    return f"{path} must be a file, but it is a folder"


_EXPLAINED: dict[int, Callable[[Path, int], str | None]] = {
    errno.ENOSPC: _full,
    errno.EDQUOT: _full,
    errno.EROFS: _read_only,
    errno.EACCES: _forbidden,
    errno.EPERM: _forbidden,
    errno.EEXIST: _no_folder,
    errno.ENOTDIR: _no_folder,
    errno.EISDIR: _no_file,
}


def _nearest(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that is there."""
    whole = Path(os.path.abspath(path))
    return next(folder for folder in (whole, *whole.parents) if os.path.exists(folder))


def _mount_of(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if os.path.ismount(place))


def _flag_of(path: Path, flags: Sequence[tuple[str, str]]) -> str | None:
    """Returns the flag whose value is the path, or else lies above it, below it or beside it."""
    whole = Path(os.path.abspath(path))
    given = [(flag, Path(os.path.abspath(value))) for flag, value in flags if value]
    matches = (
        *(flag for flag, value in given if value == whole),
        *(flag for flag, value in given if value in whole.parents),
        *(flag for flag, value in given if whole in value.parents),
        # What belongs to an output folder, such as its lock, may lie beside it.
        *(flag for flag, value in given if value.parent == whole.parent and flag == "--out"),
    )
    return next(iter(matches), None)
