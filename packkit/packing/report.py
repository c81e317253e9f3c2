"""What a packing run says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packkit.base.errors import RejectRateError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The figures of one run.

    Attributes:
        samples_read: Records found in the inputs.
        samples_packed: Samples that stand in a pack.
        samples_rejected: Samples left out; read = packed + rejected.
        rejects: Number of rejected samples by reason.
        sources: One entry an input: name, layout, read, packed, rejected, rejects by reason.
        duplicate_ids: Samples whose id another sample before them has.
        packs: Packs written.
        tokens: Tokens of all packed samples.
        images: Images that take tokens.
        efficiency: Tokens / (packs x capacity), in [0, 1].
        lower_bound: Packs that any packing needs at least.
        gap: (packs - lower_bound) / lower_bound.
        fill_packs: Packs that ``--algorithm fill`` needs; None where it does not apply.
        shards: Files (or folders) of packs.
        bytes: Size of all shards.
        seconds: Time of this run.
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


class PackRejectRateError(RejectRateError):
    """A packing run rejected more samples than it may; its pack set is whole.

    Attributes:
        report: Figures of the run.
    """

    def __init__(self, report: PackReport, limit: float, rejects: Path) -> None:
        super().__init__(report.samples_rejected, report.samples_read, limit, rejects)
        self.report = report
