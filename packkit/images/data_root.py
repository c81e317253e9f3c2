"""The folder under which the image paths of an input are resolved, links followed."""

from __future__ import annotations

import os
from pathlib import Path

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.images.references import FileImage


class DataRoot:
    """The folder under which the image paths of an input are resolved, and never outside it.

    Args:
        folder: Path of the data root.
        suffix: Ending of names that have none, such as ``.jpg``; empty where they have theirs.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, folder: str | Path, suffix: str = "") -> None:
        self.suffix = suffix
        if not os.path.isdir(folder):
            raise InputError(f"data_root {folder} is not a folder")
        self.folder = os.path.realpath(folder)
        self._prefixes = (os.path.join(self.folder, ""), *_blobs_of(self.folder))
        self._real_folders: dict[str, str] = {}
        self._within: dict[tuple[str, ...], DataRoot] = {}

    def within(self, *names: str) -> DataRoot:
        """Returns the first of these sub-folders that there is, else this folder itself.

        Archives unpack into a folder that records do not name. Images found there may not lead
        outside this data root either. The answer is kept: asking again costs no system call.

        Args:
            names: Names of sub-folders, by preference.
        """
        root = self._within.get(names)
        if root is None:
            folders = (os.path.join(self.folder, name) for name in names)
            folder = next(filter(os.path.isdir, folders), None)
            root = self if folder is None else DataRoot(folder, self.suffix)
            root._prefixes = self._prefixes
            self._within[names] = root
        return root

    def image(self, name: str) -> FileImage:
        """Returns the image that a record names.

        Raises:
            SampleError: The name is a URL, or leads outside the data root.
        """
        name = name.removeprefix("file://")
        if name.startswith("data:"):
            detail = f"{name[:40]!r} is a data URL that holds no base64"
            raise SampleError(RejectReason.MISSING_IMAGE, detail)
        if "://" in name:
            detail = f"{name[:80]!r} is a URL; download images first"
            raise SampleError(RejectReason.MISSING_IMAGE, detail)
        if "\0" in name or not name:
            raise SampleError(RejectReason.UNSAFE_PATH, f"{name!r} is not a path")
        folder, base = os.path.split(name)
        if self.suffix and "." not in base:
            base += self.suffix
        # Following links is one system call a path component: once a folder, not once an image.
        real = self._real_folders.get(folder)
        if real is None:
            real = os.path.realpath(os.path.join(self.folder, folder))
            self._real_folders[folder] = real
        path = os.path.join(real, base)
        if base in ("", ".", "..") or os.path.islink(path):
            path = os.path.realpath(path)
        if not path.startswith(self._prefixes):
            raise SampleError(RejectReason.UNSAFE_PATH, f"{name!r} leads outside data_root")
        return FileImage(path)


def _blobs_of(folder: str) -> list[str]:
    """Returns where the files of a snapshot in a hub cache really are: links lead to them."""
    inside, _, _ = folder.partition(f"{os.sep}snapshots{os.sep}")
    blobs = os.path.join(inside, "blobs", "")
    return [blobs] if inside != folder and os.path.isdir(blobs) else []
