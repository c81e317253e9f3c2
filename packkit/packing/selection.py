"""What a run packs, and what it says of where that came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from packkit.packing.sample_table import SampleTable
from packkit.packing.span import Reject


class Origins(NamedTuple):
    """What samples are identified by: the inputs, in order.

    Attributes:
        names: Of each.
        layouts: Layout of each.
        reads: Samples read of each.
    """

    names: Sequence[str]
    layouts: Sequence[str]
    reads: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run packs.

    Attributes:
        measured: The samples.
        origins: What their origins are.
        rejects: Samples that were read and are not packed.
        duplicate_ids: Samples whose id an earlier sample has.
        options: What else decided the packs, for the manifest.
    """

    measured: SampleTable
    origins: Origins
    rejects: Sequence[Reject] = ()
    duplicate_ids: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def source_entries(self) -> list[dict[str, Any]]:
        """Returns what the manifest says of each origin."""
        rejects: dict[str, Counter[str]] = {name: Counter() for name in self.origins.names}
        for reject in self.rejects:
            rejects[reject.source][reject.reason] += 1
        return [
            {
                "name": name,
                "layout": layout,
                "read": read,
                "packed": read - rejects[name].total(),
                "rejected": rejects[name].total(),
                "rejects": dict(sorted(rejects[name].items())),
            }
            for name, layout, read in zip(*self.origins, strict=True)
        ]
