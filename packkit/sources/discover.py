"""From what the user names to a list of files, in an order that is always the same."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from packkit.errors import InputError
from packkit.sources.registry import installed_containers

__all__ = ["COMPRESSED_SUFFIXES", "InputFile", "find_inputs", "inner_name"]

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".zst", ".lz4")


class InputFile(NamedTuple):
    """One file to read.

    Attributes:
        name: its path below the folder that all inputs share; part of a sample's identity.
        path: where it stands.
    """

    name: str
    path: Path


def find_inputs(inputs: Sequence[str | Path]) -> list[InputFile]:
    """Lists the files that inputs name: files, folders or globs.

    Args:
        inputs: paths; files of a folder or glob come in sorted order, the rest as given.

    Raises:
        InputError: an input names nothing, or a file is named twice.
    """
    paths = [Path(os.path.abspath(path)) for item in inputs for path in _expand(item)]
    for path, count in Counter(paths).items():
        if count > 1:
            raise InputError(f"{path} is named {count} times")
    shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [InputFile(path.relative_to(shared).as_posix(), path) for path in paths]


def inner_name(name: str) -> str:
    """Returns a file name without the suffix of its compression.

    >>> inner_name("00000.tar.gz")
    '00000.tar'
    """
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in COMPRESSED_SUFFIXES else name


def _expand(item: str | Path) -> Iterable[Path]:
    text = os.fspath(item)
    if os.path.isdir(text):
        return _found(_folder(Path(text)), f"{text} holds no file with a known ending")
    if os.path.exists(text):
        return (Path(text),)
    if glob.has_magic(text):
        return _found(map(Path, sorted(glob.glob(text, recursive=True))), f"{text} matches no file")
    raise InputError(f"{text}: no such file or folder")


def _found(paths: Iterable[Path], problem: str) -> list[Path]:
    if found := [path for path in paths if path.is_file()]:
        return found
    raise InputError(problem)


def _folder(folder: Path) -> Iterator[Path]:
    """Yields the data files below a folder; of a pack set, its shards alone."""
    if (folder / "manifest.json").is_file():
        yield from sorted(folder.glob("shard-*.jsonl"))
        yield from sorted(folder.glob("shard-*/pack-*.json"))
        return
    for base, folders, names in os.walk(folder):
        folders.sort()
        # Open-Qwen2VL leaves the counts of a tar beside its packs.
        packed = any(name.endswith("_packed.json") for name in names)
        for name in sorted(names):
            is_data = inner_name(name).lower().endswith(_suffixes())
            if is_data and not name.startswith(".") and not (packed and "_stats." in name):
                yield Path(base, name)


def _suffixes() -> tuple[str, ...]:
    return tuple(
        suffix for container in installed_containers().values() for suffix in container.suffixes
    )
