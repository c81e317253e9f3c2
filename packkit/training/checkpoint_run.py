"""``run.json`` of a checkpoint: what it was saved with, and the checksum of every other file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from packkit.base.errors import CheckpointError, ChecksumError, FormatError
from packkit.base.files import file_checksum, sync_folder, write_atomically
from packkit.base.values import LARGEST_COUNT, is_whole
from packkit.shards.manifest import has_checksum, with_checksum
from packkit.shards.manifest_rules import COUNT, OBJECT, Rule, broken_rule

RUN = "run.json"
"""Name of the file, which is written last."""

CHECKPOINT_VERSION = 2


def _has_image_tokens(recipe: Any) -> bool:  # noqa: ANN401
    model = recipe.get("model") if isinstance(recipe, Mapping) else None
    return isinstance(model, Mapping) and is_whole(model.get("image_tokens"), 1, LARGEST_COUNT)


def _are_checksums(files: Any) -> bool:  # noqa: ANN401
    return isinstance(files, Mapping) and all(
        isinstance(checksum, str) and _CHECKSUM.fullmatch(checksum) for checksum in files.values()
    )


_CHECKSUM = re.compile("[0-9a-f]{32}")
_RULES = {
    "format_version": Rule(
        str(CHECKPOINT_VERSION),
        lambda value: is_whole(value, CHECKPOINT_VERSION, CHECKPOINT_VERSION),
    ),
    "step": COUNT,
    "loader": OBJECT,
    "recipe": Rule("an object with model.image_tokens", _has_image_tokens),
    "files": Rule("an object of 32 hexadecimal digits each", _are_checksums),
    "checksum": Rule("a text", lambda value: isinstance(value, str)),
}


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Content of a checkpoint besides its tensors.

    Attributes:
        step: Number of steps made.
        loader: State of the loader, as its `state_dict` gives it.
        recipe: Recipe of the run, as JSON values.
    """

    step: int
    loader: dict[str, Any]
    recipe: dict[str, Any]

    @property
    def image_tokens(self) -> int:
        """Number of tokens that an image takes."""
        tokens: int = self.recipe["model"]["image_tokens"]
        return tokens


def write_run(folder: Path, info: CheckpointInfo) -> None:
    """Flushes the folders of a checkpoint, and writes its run.json.

    Args:
        folder: Folder of the checkpoint, all of whose other files are written.
        info: Content besides the tensors.
    """
    for inner in (path for path in folder.rglob("*") if path.is_dir()):
        sync_folder(inner)
    fields = {
        "format_version": CHECKPOINT_VERSION,
        **dataclasses.asdict(info),
        "files": {name: file_checksum(folder / name) for name in _names(folder)},
    }
    write_atomically(folder / RUN, with_checksum(fields))


def read_run(folder: Path) -> tuple[CheckpointInfo, dict[str, str]]:
    """Reads the run.json of a checkpoint.

    Args:
        folder: Folder of the checkpoint.

    Returns:
        What the checkpoint was saved with, and the checksum of each file by its path in the folder.

    Raises:
        FormatError: The run.json cannot be read, or is of another version.
        ChecksumError: The run.json was changed after it was written.
    """
    place = folder / RUN
    try:
        data = place.read_bytes()
        saved = orjson.loads(data)
        version = saved["format_version"]
        if version != CHECKPOINT_VERSION:
            detail = f"format_version must be {CHECKPOINT_VERSION}, got {version!r}"
            raise FormatError(place, f"{detail}: go on with the packkit that wrote it")
        if not has_checksum(data):
            raise ChecksumError(place, "is not what was written: its checksum differs")
        if problem := broken_rule(saved, _RULES):
            raise FormatError(place, problem)
        return CheckpointInfo(saved["step"], saved["loader"], saved["recipe"]), saved["files"]
    except OSError as error:
        raise FormatError(place, f"cannot read it: {error.strerror}") from error
    except (KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise FormatError(
            place, f"must hold what a checkpoint says of itself: {error!r}"
        ) from error


def check_files(
    folder: Path, checksums: Mapping[str, str], *, first: int = 0, stride: int = 1
) -> None:
    """Checks that a checkpoint has the files that were saved, and no others.

    Args:
        folder: Folder of the checkpoint.
        checksums: Checksum (xxh3_128) of each file, by its path in the folder.
        first: Number of the first file to read, for ranks that share the work.
        stride: Distance from one file to read to the next.

    Raises:
        CheckpointError: A file is missing, was changed or does not belong.
    """
    names = _names(folder)
    if strangers := set(names) ^ checksums.keys():
        name = min(strangers)
        problem = "is no part of it" if name in names else "is missing"
        raise CheckpointError(folder, f"cannot load it: {name} {problem}")
    for name in names[first::stride]:
        try:
            checksum = file_checksum(folder / name)
        except OSError as error:
            raise CheckpointError(folder, f"cannot load it: {name}: {error.strerror}") from error
        if checksum != checksums[name]:
            detail = f"{name} is damaged, its checksum differs"
            raise CheckpointError(folder, f"cannot load it: {detail}")


def _names(folder: Path) -> list[str]:
    names = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise CheckpointError(folder, f"cannot load it: {name} is no regular file")
        if path.is_file() and name != RUN:
            names.append(name)
    return sorted(names)
