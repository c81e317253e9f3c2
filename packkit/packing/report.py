"""What a packing run says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from packkit.base.errors import RejectRateError
from packkit.shards import Manifest

T = TypeVar("T")


class _Fact(Generic[T]):
    """A field of the report's manifest, under its own name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, report: PackReport, owner: type) -> T:
        value: T = getattr(report.manifest, self._name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The figures of one run: what the manifest states, and what only the run knows.

    `samples_read` to `gap` are the fields of `Manifest` with these names.

    Attributes:
        manifest: Manifest of the pack set.
        fill_packs: Packs that the algorithm ``fill`` needs; None where it does not apply.
        seconds: Time of this run.
        was_complete: Whether an earlier run of the same job had made the set, so that this one
            wrote nothing.
        redone: Paths of results of an earlier run that were damaged or missing, and so were made
            again.
    """

    manifest: Manifest
    fill_packs: int | None
    seconds: float
    was_complete: bool = False
    redone: Sequence[str] = field(default_factory=list)

    samples_read = _Fact[int]()
    samples_packed = _Fact[int]()
    samples_rejected = _Fact[int]()
    rejects = _Fact[Mapping[str, int]]()
    sources = _Fact[Sequence[Mapping[str, Any]]]()
    duplicate_ids = _Fact[int]()
    packs = _Fact[int]()
    tokens = _Fact[int]()
    images = _Fact[int]()
    efficiency = _Fact[float]()
    lower_bound = _Fact[int]()
    gap = _Fact[float]()

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.manifest.shards)

    @property
    def bytes(self) -> int:
        """Size of all shards on disk."""
        return sum(shard.bytes for shard in self.manifest.shards)

    @property
    def unread_bytes(self) -> int:
        """Bytes of the inputs that could not be read, and may hold any number of samples."""
        return sum(source.get("unread_bytes", 0) for source in self.sources)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        facts = [name for name, value in vars(PackReport).items() if isinstance(value, _Fact)]
        own_names = ("fill_packs", "shards", "bytes", "unread_bytes")
        of_run = ("seconds", "was_complete", "redone")
        return {name: getattr(self, name) for name in (*facts, *own_names, *of_run)}


class PackRejectRateError(RejectRateError):
    """A packing run rejected more samples than it may; its pack set is whole.

    Attributes:
        report: Figures of the run.
    """

    def __init__(self, report: PackReport, limit: float, rejects: Path) -> None:
        super().__init__(report.samples_rejected, report.samples_read, limit, rejects)
        self.report = report
