"""One input file, ready to be read by offset: staged where needed, its layout known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packkit.base.errors import SourceChangedError
from packkit.base.files import (
    file_checksum,
    make_folder,
    names_in_errors,
    sync_folder,
    write_atomically,
)
from packkit.sources.base import Container, is_staged
from packkit.sources.compression import decompressed, inner_name
from packkit.sources.detect import detect_container, detect_layout
from packkit.sources.discover import InputFile
from packkit.sources.registry import layout_named

AUTO = "auto"

CHECKSUM_SUFFIX = ".xxh3"
"""Ending of the file beside a staged copy that holds its checksum (xxh3_128)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input file as both passes read it.

    Attributes:
        name: Name of the input file in identities, rejects and the manifest.
        path: The file that is read: the user's own, or its staged copy.
        container: Name of the container, which tells how records lie in the file.
        layout: Name of the layout, which tells what the fields of a record mean.
        columns: Role in the layout -> name of the field.
        root: Folder under which image paths are resolved.
        ignored: Keys and markers of records that do not matter.
        image_suffix: Ending of image names that have none.
        size: Bytes of `path`.
        mtime_ns: Modification time of `path`, nanoseconds.
    """

    name: str
    path: str
    container: str
    layout: str
    columns: Mapping[str, str]
    root: str
    size: int
    mtime_ns: int
    ignored: tuple[str, ...] = ()
    image_suffix: str = ""

    def check_unchanged(self) -> None:
        """Checks that the file is still the one that was opened first.

        Raises:
            SourceChangedError: The size or the modification time of the file differs.
        """
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise SourceChangedError(self.name, str(error.strerror)) from None
        if status.st_size != self.size:
            raise SourceChangedError(self.name, f"{self.size} bytes became {status.st_size}")
        if status.st_mtime_ns != self.mtime_ns:
            raise SourceChangedError(self.name, "its modification time differs")


def open_source(
    file: InputFile,
    *,
    staging: Path,
    layout: str = AUTO,
    columns: Mapping[str, str] | None = None,
    data_root: str | Path | None = None,
    ignored: Sequence[str] = (),
    image_suffix: str = "",
) -> Source:
    """Makes a file readable by offset and tells its container and layout.

    Args:
        file: The input file.
        staging: Folder for copies of files that cannot be read by offset.
        layout: Name of the layout; ``auto`` tells it from the first records.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default the folder of the file.
        ignored: Keys and markers of records that do not matter.
        image_suffix: Ending of image names that have none, such as ``.jpg``.

    Raises:
        InputError: Container or layout cannot be told, or no such layout or column is installed.
        FormatError: The file is not what its ending says.
    """
    path, container = _staged(file, staging)
    columns = columns or {}
    if layout == AUTO:
        with names_in_errors(path):
            layout = detect_layout(file.name, path, container, columns)
    else:
        layout_named(layout, columns)
    status = path.stat()
    return Source(
        name=file.name,
        path=str(path),
        container=container.name,
        layout=layout,
        columns=columns,
        root=str(file.path.parent if data_root is None else Path(data_root).absolute()),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ignored=tuple(ignored),
        image_suffix=image_suffix,
    )


def _staged(file: InputFile, staging: Path) -> tuple[Path, Container]:
    """Returns a path that can be read by offset and its container, copying where needed."""
    plain = file.path
    if inner_name(file.name) != file.name:
        plain = staging / f"{file.name}.plain"
        _write_once(plain, file.path, _decompress)
    with names_in_errors(plain):
        container = detect_container(file.name, plain)
    if not is_staged(container):
        return plain, container
    records = staging / f"{file.name}.records"
    _write_once(records, plain, container.stage)
    return records, container


def _write_once(target: Path, source: Path, write: Callable[[Path, Path], object]) -> None:
    """Lets `write` fill a file that gets its name once it is whole; one that is there stays."""
    if target.exists():
        return
    make_folder(target.parent)
    copy = target.with_name(target.name + ".tmp")
    with names_in_errors(source, copy):
        write(source, copy)
        with open(copy, "rb") as file:
            os.fsync(file.fileno())
    # Before the copy has its name: one without a checksum is not trusted.
    checksum = target.with_name(target.name + CHECKSUM_SUFFIX)
    write_atomically(checksum, file_checksum(copy).encode())
    os.rename(copy, target)
    sync_folder(target.parent)


def _decompress(path: Path, copy: Path) -> None:
    with open(copy, "wb") as plain:
        plain.writelines(decompressed(path))
