"""From what the user names to a list of files, in an order that is always the same."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from packkit.base.errors import InputError
from packkit.base.files import read_file
from packkit.sources.compression import inner_name
from packkit.sources.registry import installed_containers

# What Hugging Face's datasets write beside the tables of a data set, and beside those of splits.
_SAVED_STATE, _SAVED_SPLITS = "state.json", "dataset_dict.json"
_SHARD_NAME = re.compile(r"shard-\d+")


class InputFile(NamedTuple):
    """One file to read.

    Attributes:
        name: Path of the file below the folder that all inputs share; part of a sample's identity.
        path: Absolute path of the file.
    """

    name: str
    path: Path


def find_inputs(inputs: Sequence[str | Path], *, apart_from: Path | None = None) -> list[InputFile]:
    """Lists the files that inputs name: files, folders or globs.

    A folder stands for every file below it with a known ending, hidden ones left out and links
    followed; of a pack set, for its shards alone. Endings that any file may have, such as
    ``.txt``, do not count there. A glob stands for the files that it matches.

    Args:
        inputs: Paths; files of a folder or glob come in sorted order, the rest as given.
        apart_from: Folder that the output goes to; a folder around it stands for all the rest.

    Raises:
        InputError: An input names nothing that can be read, a file is named twice, or one lies in
            the folder of the output.
    """
    out = None if apart_from is None else os.path.realpath(apart_from)
    paths = [Path(os.path.abspath(path)) for item in inputs for path in _expand(item, out)]
    if out is not None:
        _check_apart(paths, out)
    for path, count in Counter(paths).items():
        if count > 1:
            raise InputError(f"{path} is named {count} times")
    shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [InputFile(_name(path, shared), path) for path in paths]


def _name(path: Path, shared: str) -> str:
    name = path.relative_to(shared).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name!r}: names of input files must be UTF-8") from None
    return name


def _check_apart(paths: Sequence[Path], out: str) -> None:
    folders: dict[Path, str] = {}
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = os.path.realpath(path.parent)
        folder = os.path.dirname(os.path.realpath(path)) if path.is_symlink() else ""
        if any(
            (place + os.sep).startswith(out + os.sep) for place in (folder, folders[path.parent])
        ):
            raise InputError(f"{path} is an input and lies in the output folder {out}")


def _expand(item: str | Path, out: str | None) -> list[Path]:
    text = os.fspath(item)
    if os.path.isdir(text):
        if out is not None and os.path.realpath(text) == out:
            raise InputError(f"{text} is an input and the output folder")
        if files := list(_files_of(Path(text), (), out)):
            return files
        raise InputError(f"{text} holds no file with a known ending")
    if os.path.lexists(text):
        return [_file(Path(text))]
    if not glob.has_magic(text):
        raise InputError(f"{text}: no such file or folder")
    matches = map(Path, sorted(glob.glob(text, recursive=True)))
    if files := [_file(path) for path in matches if not path.is_dir()]:
        return files
    raise InputError(f"{text} matches no file")


def _file(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder, or a link to neither")
    return path


def _files_of(folder: Path, above: tuple[str, ...], out: str | None) -> Iterator[Path]:
    """Yields the data files below a folder; `above` holds the folders that it stands in."""
    real = os.path.realpath(folder)
    if real == out:
        return
    if real in above:
        raise InputError(f"{folder} is a link to a folder that it stands in")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    if shards := _shards(folder):
        yield from shards
        return
    if tables := _saved_tables(folder):
        yield from tables
        return
    # Open-Qwen2VL leaves the counts of a tar beside its packs.
    has_packs = any(path.name.endswith("_packed.json") for path in entries)
    beside_tars = _beside_tars(entries)
    if beside_tars:
        warnings.warn(
            f"{folder}: {len(beside_tars)} files such as {min(beside_tars)} are left out: they "
            "stand beside tars of their names, as img2dataset writes them; name them to pack them",
            stacklevel=2,
        )
    for path in entries:
        if path.name.startswith(".") or (has_packs and "_stats." in path.name):
            continue
        if path.name in beside_tars or path.name == _SAVED_SPLITS:
            continue
        if path.is_dir():
            yield from _files_of(path, (*above, real), out)
        elif inner_name(path.name).lower().endswith(_suffixes()):
            yield _file(path)


def _saved_tables(folder: Path) -> list[Path]:
    """Returns the tables of a data set that Hugging Face's ``save_to_disk`` wrote.

    Raises:
        InputError: A table is missing.
    """
    state = _read_object(folder / _SAVED_STATE)
    names = [entry.get("filename") for entry in state.get("_data_files", ())]
    tables = [folder / name for name in names if isinstance(name, str)]
    if missing := [table for table in tables if not table.is_file()]:
        raise InputError(f"{folder} is a damaged data set: {missing[0].name} is missing")
    return tables


def _beside_tars(entries: Sequence[Path]) -> set[str]:
    """Returns the names of what img2dataset notes of each tar that it writes beside it."""
    stems = {path.name.removesuffix(".tar") for path in entries if path.name.endswith(".tar")}
    names = {f"{stem}{ending}" for stem in stems for ending in (".parquet", "_stats.json")}
    return names & {path.name for path in entries}


def _shards(folder: Path) -> list[Path]:
    """Returns the packs of a pack set, as its manifest names them; nothing of any other folder.

    Raises:
        InputError: A shard is missing, or has another size than the manifest says.
    """
    manifest = _read_manifest(folder / "manifest.json")
    paths = []
    for entry in manifest.get("shards", ()):
        match entry:
            case {"name": str(name), "bytes": int(stated)} if _SHARD_NAME.fullmatch(name):
                pass
            case _:
                raise InputError(f"{folder} is a damaged pack set: its manifest names no shards")
        lines = folder / f"{name}.jsonl"
        packs = [lines] if lines.is_file() else sorted(folder.glob(f"{name}/pack-*.json"))
        if (size := sum(path.stat().st_size for path in packs)) != stated:
            detail = f"{name} has {size} bytes, {stated} in its manifest"
            raise InputError(f"{folder} is a damaged pack set: {detail}; packkit verify says more")
        paths += packs
    return paths


def _read_manifest(path: Path) -> dict[str, Any]:
    """Returns the manifest of a pack set; nothing where a file of that name is something else."""
    manifest = _read_object(path)
    return manifest if manifest.get("format") == "packkit" else {}


def _read_object(path: Path) -> dict[str, Any]:
    """Returns the JSON object of a file; nothing where it holds something else."""
    if not path.is_file():
        return {}
    try:
        value = orjson.loads(read_file(path))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _suffixes() -> tuple[str, ...]:
    return tuple(
        suffix
        for container in installed_containers().values()
        if container.in_folders
        for suffix in container.suffixes
    )
