"""Whether an index covers all packs of its shard: what an index misses, no reader would see."""

from __future__ import annotations

from packkit.base.errors import FormatError
from packkit.base.files import names_in_errors
from packkit.shards.index import ShardIndex
from packkit.shards.locate import Shard

_BLOCK_BYTES = 1 << 20


def check_coverage(shard: Shard, index: ShardIndex) -> None:
    """Sees that an index has the packs of its shard, and all of them.

    Args:
        shard: Shard that the index belongs to.
        index: Index as it was read.

    Raises:
        FormatError: The index is that of other packs, or misses some.
    """
    place = shard.index_path
    if (index.files is not None) != shard.is_folder:
        kind = "one file" if shard.is_folder else "a folder of files"
        raise FormatError(place, f"is the index of {kind}, {shard.name} is none")
    if shard.packs is not None:
        if len(index) != shard.packs:
            detail = f"has {len(index)} packs, the manifest says {shard.packs}"
            raise FormatError(place, detail)
    elif shard.is_folder:
        _check_folder(shard, index)
    else:
        _check_file(shard, index)


def _check_folder(shard: Shard, index: ShardIndex) -> None:
    indexed: set[str] = set() if index.files is None else set(index.files.to_pylist())
    stored = set(shard.pack_files())
    for problem, names in (("misses", stored - indexed), ("has packs of", indexed - stored)):
        if names:
            suffix = "" if problem == "misses" else " that are gone"
            raise _stale(shard, f"{problem} {len(names)} files{suffix}, first {min(names)}")


def _check_file(shard: Shard, index: ShardIndex) -> None:
    end = int(index.pack.offset[-1] + index.pack.size[-1]) if len(index) else 0
    with names_in_errors(shard.path), open(shard.path, "rb") as file:
        file.seek(end)
        while block := file.read(_BLOCK_BYTES):
            if not block.isspace():
                raise _stale(shard, f"misses the packs after byte {end} of {shard.name}")


def _stale(shard: Shard, problem: str) -> FormatError:
    way_out = f"run `packkit index {shard.path}` to make it again"
    return FormatError(shard.index_path, f"{problem}: {way_out}")
