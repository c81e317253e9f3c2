"""The pack sets behind a loader, their packs numbered one set after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.base.orders import Split, hold_out
from packkit.encoding import SampleEncoder
from packkit.loading.order import SetPlaces
from packkit.shards import PackReader
from packkit.shards.set_encoder import check_encoder


class PackSets:
    """Several pack sets read as one.

    Args:
        paths: Pack sets, ``.jsonl`` of packs, or folders of Open-Qwen2VL's ``*_packed.json``.
        encoder: Encoder that turns samples into ids; by default that of the sets.
        verify: Whether every checksum is compared when its bytes are read.

    Attributes:
        readers: Reader of each set.
        encoder: Encoder that turns samples into ids.

    Raises:
        InputError: There is no set, or one is named twice.
        FormatError: A path holds no packs, or no encoder where none is given.
        FingerprintError: The sets were made with different encoders, or another than the one given.
    """

    def __init__(
        self, paths: Sequence[str | Path], *, encoder: SampleEncoder | None, verify: bool
    ) -> None:
        if not paths or len({Path(path).resolve() for path in paths}) < len(paths):
            raise InputError(f"packs must be different pack sets, got {[str(p) for p in paths]}")
        self.readers = [PackReader(path, encoder=encoder, verify=verify) for path in paths]
        self.encoder = self.readers[0].load_encoder() if encoder is None else encoder
        for reader in self.readers[1:]:
            check_encoder(reader.path, reader.manifest, self.encoder)
        self._first = [0, *accumulate(map(len, self.readers))]

    def __len__(self) -> int:
        return self._first[-1]

    def find(self, pack: int) -> tuple[PackReader, int]:
        """Returns the set of a pack and the pack's number there.

        Raises:
            IndexError: There is no such pack.
        """
        if not 0 <= pack < len(self):
            raise IndexError(f"{len(self)} packs in all sets, no pack {pack}")
        number = bisect_right(self._first, pack) - 1
        return self.readers[number], pack - self._first[number]

    def places(self, split: Split, fraction: float) -> list[SetPlaces]:
        """Returns the packs of a split, set by set; see `hold_out`.

        Raises:
            FormatError: A manifest states more packs in a shard than its index has.
        """
        places = []
        for reader, first in zip(self.readers, self._first, strict=False):
            # Memory is taken for as many packs as the manifests state: one index bears that out.
            if reader.shards:
                reader.index(max(range(reader.shards), key=partial(_packs_of_shard, reader)))
            members = hold_out(len(reader), fraction, split)
            shard_starts = [reader.first_pack(shard) for shard in range(reader.shards + 1)]
            places.append(SetPlaces(first + members, np.searchsorted(members, shard_starts)))
        return places

    def costs(self, packs: Sequence[int]) -> NDArray[np.int64]:
        """Returns what packs cost, from their index; a filler costs nothing.

        Args:
            packs: Ids; negative ones are fillers.

        Returns:
            int64 [packs, 2]: images that take tokens, and sum of squared lengths.
        """
        return np.array([_cost(*self.find(pack)) if pack >= 0 else (0, 0) for pack in packs])

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What ids and order depend on: a hash of each set, and each part of the encoder."""
        hashes = {f"packs[{number}]": content for number, content in enumerate(self.contents)}
        parts = self.encoder.describe()
        # The hash of the others, which name what differs.
        del parts["fingerprint"]
        return {**hashes, **parts}

    @cached_property
    def contents(self) -> list[str]:
        """`PackReader.content_hash` of each set."""
        return [reader.content_hash for reader in self.readers]

    def close(self) -> None:
        """Closes the files of every set."""
        for reader in self.readers:
            reader.close()


def _packs_of_shard(reader: PackReader, shard: int) -> int:
    return reader.first_pack(shard + 1) - reader.first_pack(shard)


def _cost(reader: PackReader, number: int) -> tuple[int, int]:
    index, row = reader.index_of(number)
    lengths = index.sample.length[index.samples_of(row)].astype(np.int64)
    images = int(np.count_nonzero(index.image.tokens[index.images_of(row)]))
    return images, int((lengths**2).sum())
