"""The samples that a run packs, and where they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from packkit.packing.sample_table import SampleTable
from packkit.packing.span import Reject


class Origins(NamedTuple):
    """The inputs that samples are identified by, in order.

    Attributes:
        names: Name of each origin.
        layouts: Layout of each origin.
        reads: Number of samples read from each origin.
    """

    names: Sequence[str]
    layouts: Sequence[str]
    reads: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The samples that a run packs.

    Attributes:
        measured: Rows of the samples to pack.
        origins: The origins that the rows number.
        rejects: Samples that were read and are not packed.
        duplicate_ids: Number of samples whose id an earlier sample has.
        options: Options beside those of the run that decided the packs, for the manifest.
    """

    measured: SampleTable
    origins: Origins
    rejects: Sequence[Reject] = ()
    duplicate_ids: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def source_entries(self) -> list[dict[str, Any]]:
        """Returns the manifest's entry of each origin."""
        rejects: dict[str, Counter[str]] = {name: Counter() for name in self.origins.names}
        unread: Counter[str] = Counter()
        for reject in self.rejects:
            rejects[reject.source][reject.reason] += 1
            unread[reject.source] += reject.unread
        return [
            {
                "name": name,
                "layout": layout,
                "read": read,
                "packed": read - rejects[name].total(),
                "rejected": rejects[name].total(),
                "rejects": dict(sorted(rejects[name].items())),
                "unread_bytes": unread[name],
            }
            for name, layout, read in zip(*self.origins, strict=True)
        ]
