"""Which results of an earlier run are taken: those that this run would come to."""

from __future__ import annotations

from packkit.base.errors import RejectReason
from packkit.packing.config import PackConfig
from packkit.packing.span import SpanResult
from packkit.packing.workfolder import WorkFolder
from packkit.shards import ShardEntry
from packkit.shards.set_files import is_intact

# Rejects that another state of the image files would not give.
_BY_FILES = frozenset(
    {RejectReason.MISSING_IMAGE, RejectReason.UNSAFE_PATH, RejectReason.INVALID_IMAGE}
    | {RejectReason.IMAGE_TOO_LARGE, RejectReason.TRUNCATED_FILE}
)


class KeptResults:
    """The results that earlier runs of a job left.

    Args:
        work: Work folder of the run.
        config: Options of the run.
    """

    def __init__(self, work: WorkFolder, config: PackConfig) -> None:
        self._work = work
        self._config = config

    def span(self, number: int) -> SpanResult | None:
        """Returns what was measured for a span, where this run would measure the same."""
        kept = self._work.load_span(number)
        if kept is None or not kept.rejects:
            return kept
        # A strict run stops at a reject, with its place.
        is_stale = self._config.strict or any(reject.reason in _BY_FILES for reject in kept.rejects)
        return None if is_stale else kept

    def entry(self, number: int) -> ShardEntry | None:
        """Returns the entry of a shard that was finished and is still what was written."""
        entry = self._work.load_entry(number)
        is_folder = self._config.storage == "files"
        if entry is None or is_intact(self._work.out, entry, is_folder=is_folder):
            return entry
        self._work.redo(self._work.out / entry.name)
        return None
