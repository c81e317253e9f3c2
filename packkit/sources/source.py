"""One input file, ready to be read by offset: staged where needed, its layout known."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packkit.base.errors import FormatError, InputError, SampleError, SourceChangedError
from packkit.base.files import sync_folder
from packkit.sources.base import Container, Fields, Span
from packkit.sources.containers.json_lines import BYTE_ORDER_MARK, read_lines
from packkit.sources.discover import COMPRESSIONS, InputFile, inner_name
from packkit.sources.registry import (
    container_named,
    installed_containers,
    installed_layouts,
    layout_named,
)

AUTO = "auto"

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_BLOCK_BYTES = 1 << 20
_ARRAY_UNDER_KEY = re.compile(rb'\s*\{\s*"([^"\\]*)"\s*:\s*\[')
_PACK_HEAD = re.compile(rb'\s*\{\s*"(?:data|lengths)"\s*:\s*\[')


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input file as both passes read it.

    Attributes:
        name: Its name in identities, rejects and the manifest.
        path: The file that is read: the user's own, or its staged copy.
        container: Name of its container.
        layout: Name of its layout.
        columns: Role in the layout -> name of the field.
        root: Folder under which its image paths are resolved.
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

    def check_unchanged(self) -> None:
        """Looks whether the file is still the one that was opened first.

        Raises:
            SourceChangedError: Its size or its time differ.
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
) -> Source:
    """Makes a file readable by offset and tells its container and layout.

    Args:
        file: The input.
        staging: Folder for copies of files that cannot be read by offset.
        layout: Name of the layout; ``auto`` tells it from the first records.
        columns: Role in the layout -> name of the field.
        data_root: Folder of image paths; by default the folder of the file.

    Raises:
        InputError: The container or the layout cannot be told.
        FormatError: The file cannot be read as its name says.
    """
    path, container = _staged(file, staging)
    columns = columns or {}
    if layout == AUTO:
        layout = _tell_layout(file.name, path, container, columns)
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
    )


def _staged(file: InputFile, staging: Path) -> tuple[Path, Container]:
    """Returns a path that can be read by offset and its container, copying where needed."""
    plain = file.path
    if inner_name(file.name) != file.name:
        plain = staging / f"{file.name}.plain"
        _write_once(plain, lambda copy: _decompress(file.path, copy))
    container = _tell_container(file.name, plain)
    if not container.staged:
        return plain, container
    records = staging / f"{file.name}.records"
    _write_once(records, lambda copy: container.stage(plain, copy))
    return records, container


def _write_once(target: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a file that gets its name once it is whole; one that is there stays."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = target.with_name(target.name + ".tmp")
    write(copy)
    with open(copy, "rb") as file:
        os.fsync(file.fileno())
    os.rename(copy, target)
    sync_folder(target.parent)


def _decompress(path: Path, copy: Path) -> None:
    with open(copy, "wb") as plain:
        plain.writelines(_decompressed(path))


def _decompressed(path: Path) -> Iterator[bytes]:
    import pyarrow as pa

    codec = COMPRESSIONS[path.suffix.lower()]
    if not path.stat().st_size:
        raise FormatError(path.name, "cannot be decompressed (no bytes at all)")
    try:
        with pa.input_stream(str(path), compression=codec) as packed:
            while block := packed.read(_BLOCK_BYTES):
                yield block
    except (OSError, pa.ArrowException) as error:
        raise FormatError(path.name, f"cannot be decompressed ({error})") from None


def _tell_container(name: str, path: Path) -> Container:
    """Returns the container of a file, by its ending and, for JSON, by its first bytes.

    Raises:
        InputError: No container has this ending.
    """
    lower = inner_name(name).lower()
    if lower.endswith(_JSON_SUFFIXES):
        return container_named(_tell_json(path, is_lines=not lower.endswith(".json")))
    for container in installed_containers().values():
        if lower.endswith(container.suffixes):
            return container
    known = sorted(suffix for c in installed_containers().values() for suffix in c.suffixes)
    raise InputError(f"{name}: unknown ending; packkit reads {', '.join(known)}")


def _tell_json(path: Path, *, is_lines: bool) -> str:
    with open(path, "rb") as file:
        # The only line of an array may be all of a large file.
        head = file.read(_BLOCK_BYTES).removeprefix(BYTE_ORDER_MARK)
    if head.lstrip().startswith(b"["):
        return "json-array"
    if not is_lines and (splits := _container_of_arrays(head)) is not None:
        return splits
    lines = read_lines(path, Span(0, path.stat().st_size))
    first, second = (next(lines, (0, b""))[1] for _ in range(2))
    # Many call JSON lines .json: then a line ends its object, and another begins one.
    is_lines = is_lines or (first.rstrip().endswith(b"}") and second.lstrip().startswith(b"{"))
    if _PACK_HEAD.match(first + second):
        return "pack-lines" if is_lines else "pack-file"
    return "jsonl" if is_lines else "json-object"


def _container_of_arrays(head: bytes) -> str | None:
    """Returns the container of a file that is one object of arrays, if its first key tells it."""
    match = _ARRAY_UNDER_KEY.match(head)
    first_key = "" if match is None else match[1].decode(errors="replace")
    names = (
        container.name
        for container in installed_containers().values()
        if first_key in container.first_keys
    )
    return next(names, None)


def _tell_layout(name: str, path: Path, container: Container, columns: Mapping[str, str]) -> str:
    """Returns the layout of a file's first record that can be read.

    Raises:
        InputError: No layout fits it, or several do.
    """
    candidates = [
        layout for layout in installed_layouts().values() if columns.keys() <= set(layout.roles)
    ]
    if not candidates:
        raise InputError(f"no layout has the columns {', '.join(sorted(columns))}")
    fields = _first_fields(path, container)
    if fields is None:
        # Nothing can be read: whatever the layout, every record is rejected and counted.
        return candidates[0].name
    fitting = [layout.name for layout in candidates if layout(columns).matches(fields)]
    if len(fitting) == 1:
        return fitting[0]
    keys = ", ".join(sorted(fields))
    if fitting:
        raise InputError(f"{name}: could be {' or '.join(fitting)} (keys: {keys}); say --layout")
    raise InputError(
        f"{name}: no known layout has the keys {keys}; "
        "name the fields with --layout and --columns, or leave the file out"
    )


def _first_fields(path: Path, container: Container) -> Fields | None:
    """Returns the first record that can be read, if there is one."""
    for span in container.split(path):
        for record in container.scan(path, span):
            if not isinstance(record.fields, SampleError):
                return record.fields
    return None
