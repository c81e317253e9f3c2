"""The proof that nothing was lost: every record read was packed once or rejected once.

Positions are gathered from the indexes, eight bytes a sample, and must be 0 to the number of
records read, each exactly once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from packkit.base.values import is_whole, shown
from packkit.shards.index import ShardIndex


class Conservation:
    """Which records of which source stand in the packs or among the rejects."""

    def __init__(self) -> None:
        self._positions: defaultdict[str, list[NDArray[np.int64]]] = defaultdict(list)

    def add_packed(self, index: ShardIndex) -> None:
        """Takes in the samples of a shard."""
        for number, source in enumerate(index.origins):
            self._positions[source].append(index.sample.position[index.sample.origin == number])

    def add_rejects(self, lines: bytes) -> int:
        """Takes in rejects.jsonl; returns the number of its lines.

        Raises:
            ValueError: A line does not state a rejected sample.
        """
        rejects = [_parse_reject(line) for line in lines.splitlines()]
        for source, position in rejects:
            self._positions[source].append(np.array([position], np.int64))
        return len(rejects)

    def problems(self, sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yields a line for each source whose records are not all there once.

        Args:
            sources: One mapping a source: ``name``, and ``read``, the number of its records read.
        """
        for source in sources:
            name, read = source["name"], source["read"]
            positions_seen = np.concatenate([np.empty(0, np.int64), *self._positions.pop(name, [])])
            distinct, counts = np.unique(positions_seen, return_counts=True)
            is_read = (distinct >= 0) & (distinct < read)
            seen, repeated, unread = distinct[is_read], distinct[counts > 1], distinct[~is_read]
            # Not by listing all that were read, which may be more than memory holds.
            missing = int(np.argmin(np.append(seen == np.arange(len(seen)), False)))
            for count, first, problem in (
                (read - len(seen), [missing], "neither packed nor rejected"),
                (len(repeated), repeated, "packed or rejected more than once"),
                (len(unread), unread, "packed or rejected but never read"),
            ):
                if count:
                    yield f"{name}: {count} of {read} records {problem}, first {first[0]}"
        for name, found_in in self._positions.items():
            if sum(map(len, found_in)):
                yield f"{name}: has samples in the packs but is no source in the manifest"


def _parse_reject(line: bytes) -> tuple[str, int]:
    try:
        reject = orjson.loads(line)
        source, position = reject["source"], reject["position"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a reject: {error!r}") from None
    if not is_whole(position, 0, (1 << 63) - 1):
        raise ValueError(f"not a reject: position must be a whole number, got {shown(position)}")
    return str(source), int(position)
