"""What a packing run says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["PackReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The figures of one run.

    Attributes:
        samples_read: records found in the inputs.
        samples_packed: samples that stand in a pack.
        samples_rejected: samples left out; read = packed + rejected.
        rejects: number of rejected samples by reason.
        sources: one entry an input: name, layout, read, packed, rejected, rejects by reason.
        duplicate_ids: samples whose id another sample before them has.
        packs: packs written.
        tokens: tokens of all packed samples.
        images: images that take tokens.
        efficiency: tokens / (packs x capacity), in [0, 1].
        lower_bound: packs that any packing needs at least.
        gap: (packs - lower_bound) / lower_bound.
        fill_packs: packs that ``--algorithm fill`` needs; None where it does not apply.
        shards: files (or folders) of packs.
        bytes: size of all shards.
        seconds: time of this run.
    """

    samples_read: int
    samples_packed: int
    samples_rejected: int
    rejects: Mapping[str, int]
    sources: Sequence[Mapping[str, Any]]
    duplicate_ids: int
    packs: int
    tokens: int
    images: int
    efficiency: float
    lower_bound: int
    gap: float
    fill_packs: int | None
    shards: int
    bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {**dataclasses.asdict(self), "rejects": dict(self.rejects)}
