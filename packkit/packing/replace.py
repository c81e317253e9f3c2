"""Where a run writes: in its output folder, or beside a whole set that it is going to replace.

A set that is to be overwritten stays as it is until the new one is whole. For the output ``packs``:

1. The run is an ordinary one in ``.packs.new``, beside it; ``.packs.lock`` keeps others out.
2. When its set is whole, the two folders are exchanged in one step of the file system. Where that
   has no such step, ``packs`` becomes ``.packs.old`` and then ``.packs.new`` becomes ``packs``.
3. The old set is removed: what its manifest names, that last, and its folder when it is empty.

A kill at any point leaves at ``packs`` the old set or the new one; only between the two renames of
step 2 the old one is ``.packs.old``. The next run with the same output finishes what was begun.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from packkit.base.errors import FormatError, OutputExistsError
from packkit.base.files import names_in_errors, read_file, sync_folder
from packkit.base.lock import FileLock
from packkit.packing.work_entries import remove_work
from packkit.packing.workfolder import WorkFolder
from packkit.shards import MANIFEST
from packkit.shards.set_files import RUN, WORK, SetFiles

_MARK = b"packkit replaces a pack set\n"

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NO_EXCHANGE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


class Output:
    """The output folder of a run, and the folder that the run writes in.

    Args:
        path: Folder of the pack set; a link stands for the folder that it leads to.
        overwrite: Whether a whole set in the folder is replaced.

    Attributes:
        path: Folder of the pack set; where that is a link, the folder that it leads to.
        folder: Folder that the run writes in; `path` itself where there is no set to replace.

    Raises:
        OutputExistsError: The set cannot be replaced: its manifest cannot be read or does not name
            all files of its folder, or the folder is a mount point or in one that is read-only.
        LockedError: Another process replaces the set.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        # Errors name the folder as the user does; only where that is a link, what it leads to.
        has_name = path.name not in ("", "..") and not path.is_symlink()
        self.path = path if has_name else Path(os.path.realpath(path))
        names = (f".{self.path.name}.{ending}" for ending in ("new", "old", "lock"))
        self._new, self._old, self._lock_path = (self.path.parent / name for name in names)
        self._lock: FileLock | None = None
        self.folder = self.path
        is_replaced = overwrite and (self.path / MANIFEST).exists()
        # A run that ended, and was not killed, leaves no lock.
        was_killed = self._has_mark()
        if is_replaced:
            self._check_replaceable(was_killed)
            self.folder = self._new
        if is_replaced or (was_killed and self._left()):
            self._lock = FileLock(self._lock_path, f"pack set {self.path}")
            try:
                if not was_killed:
                    with names_in_errors(self._lock_path):
                        self._lock_path.write_bytes(_MARK)
                self._finish()
            except BaseException:
                self._close()
                raise

    @property
    def is_beside(self) -> bool:
        """Whether the run writes beside a set whose place it takes in the end."""
        return self.folder != self.path

    def take_place(self, work: WorkFolder) -> None:
        """Puts the new set in the place of the old one, which is removed.

        Args:
            work: Work folder of the run, whose set is whole.

        Raises:
            OutputExistsError: Other files came into the folder of the old set; it stays.
        """
        self._check_replaceable(was_killed=True)
        # What a killed run left in the old set would pass for the mark of a new one.
        remove_work(self.path)
        _exchange(self._new, self.path, self._old)
        work.out = self.folder = self.path
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._lock is not None:
            if not self._left():
                self._lock_path.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def _check_replaceable(self, was_killed: bool) -> None:
        if _is_mount_point(self.path):
            detail = "is a mount point, whose set cannot be replaced; pack into a folder inside"
            raise OutputExistsError(self.path, detail)
        if not os.access(self.path.parent, os.W_OK | os.X_OK):
            detail = f"cannot be replaced: the folder {self.path.parent} cannot be written"
            raise OutputExistsError(self.path, detail)
        in_the_way = [] if was_killed else self._left()
        for place in [self._new] if self._new.is_symlink() else in_the_way:
            detail = f"is in the way of the new set, and no run that replaces {self.path} left it"
            raise OutputExistsError(place, detail)
        try:
            files = SetFiles.of_manifest(self.path)
        except FormatError as error:
            detail = f"cannot be replaced, for nothing says which files are its own: {error}"
            raise OutputExistsError(self.path, detail) from None
        files.check_alone(self.path)

    def _has_mark(self) -> bool:
        """Returns whether a run that was killed has left its lock, as nobody else makes it.

        Raises:
            OutputExistsError: The lock is somebody else's file.
        """
        try:
            content = b"" if self._lock_path.is_symlink() else read_file(self._lock_path)
        except FileNotFoundError:
            return False
        if self._lock_path.is_symlink() or not _MARK.startswith(content):
            detail = f"is in the way of the lock of {self.path}, and is none"
            raise OutputExistsError(self._lock_path, detail)
        # Without all of its mark, a run was killed before it made anything.
        return content == _MARK

    def _left(self) -> list[Path]:
        """Returns the old sets that a run left which was killed while it replaced them."""
        return [folder for folder in (self._new, self._old) if _is_set_to_remove(folder)]

    def _finish(self) -> None:
        """Finishes what a run that was killed while it replaced a set has begun."""
        if not self.path.exists() and self._old in self._left():
            is_ready = (self._new / MANIFEST).is_file()
            os.rename(self._new if is_ready else self._old, self.path)
            sync_folder(self.path.parent)
        for folder in self._left():
            remove_work(folder)
            SetFiles.of_manifest(folder).remove(folder)
        for folder in (self._new, self._old):
            # Their files went first: what is left is empty, or not an old set.
            with suppress(OSError):
                folder.rmdir()
        sync_folder(self.path.parent)


def _is_set_to_remove(folder: Path) -> bool:
    """Whether a set does not wait for its place: until it got that, it has its work folder."""
    is_set = not folder.is_symlink() and (folder / MANIFEST).is_file()
    return is_set and not (folder / WORK / RUN).exists()


def _exchange(new: Path, path: Path, old: Path) -> None:
    """Gives two folders each other's name in one step, or in two through a third name."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    code = errno.ENOSYS
    if renameat2 is not None:
        names = (os.fsencode(new), os.fsencode(path))
        done = renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
        code = ctypes.get_errno() if done else 0
    if code in _NO_EXCHANGE:
        os.rename(path, old)
        sync_folder(path.parent)
        os.rename(new, path)
    elif code:
        raise OSError(code, os.strerror(code), str(new), None, str(path))
    sync_folder(path.parent)


def _is_mount_point(folder: Path) -> bool:
    """Whether something is mounted on a folder, be it another folder of the same file system."""
    if os.path.ismount(folder):
        return True
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as mounts:
        # Spaces and the like are written as in \040.
        names = [line.split()[4].decode("unicode_escape").encode("latin-1") for line in mounts]
        return os.fsencode(os.path.realpath(folder)) in names
    return False
