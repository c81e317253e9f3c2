"""The state of a half-finished run, kept beside its output until that is whole.

``OUT/.work`` holds the lock, the job, staged copies, one measured table a span, the names of the
shards and one entry a finished shard. A task's file appears under its name only when the task is
done, so a run that was killed goes on where it stopped, and ends with the same bytes. Each has its
checksum: what was damaged meanwhile is made again and counted. ``OUT/run.json`` keeps the job of a
whole set, so that doing it again ends at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa
import xxhash

from packkit.base.errors import ChecksumError, OutputExistsError
from packkit.base.files import file_checksum, read_file, split_sealed, write_sealed
from packkit.base.lock import FileLock
from packkit.packing.job_changes import changes_between
from packkit.packing.span import Reject, SpanResult
from packkit.packing.work_entries import (
    PLAN,
    RESULTS,
    check_entries,
    remove_folders,
    remove_work,
)
from packkit.shards import MANIFEST, ShardEntry
from packkit.shards.set_files import RUN, WORK, SetFiles
from packkit.sources.source import CHECKSUM_SUFFIX

_NO_PLAN: dict[str, Any] = {"shards": (), "is_folder": False}
# Differences between two jobs that a message names.
_SHOWN = 3

_READ_KEY, _REJECTS_KEY = b"packkit.read", b"packkit.rejects"


class WorkFolder:
    """The work folder of one output folder, locked while it is open.

    When it is closed after an error, and no result is kept that a later run could go on from,
    nothing is left of the run.

    Args:
        out: Folder of the pack set.

    Attributes:
        out: Folder of the pack set.
        redone: Paths of kept results that were damaged or missing, and so are made again.

    Raises:
        LockedError: Another process packs into `out`.
        OutputExistsError: The folder ``.work`` holds what no run leaves.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.redone: list[str] = []
        self._has_begun = False
        self._seals: dict[int, bytes] = {}
        self._was_there = out.exists()
        check_entries(out)
        self._lock = FileLock(self.path / "lock", f"pack set {out}")

    @property
    def path(self) -> Path:
        """Folder of the state itself."""
        return self.out / WORK

    @property
    def staging(self) -> Path:
        """Folder for copies of inputs that cannot be read by offset."""
        return self.path / "staged"

    @property
    def incoming(self) -> Path:
        """Folder for samples that came through a pipe or an iterable."""
        return self.path / "incoming"

    @property
    def is_whole(self) -> bool:
        """Whether the output folder holds a whole pack set."""
        return (self.out / MANIFEST).exists()

    def begin(self, job: Mapping[str, Any], *, overwrite: bool) -> bool:
        """Goes on with the run that left this folder, or starts a new one.

        Args:
            job: Everything that the output depends on, as JSON values.
            overwrite: Whether the output of another job may be removed.

        Returns:
            Whether an earlier run has finished this very job, so that nothing is left to do.

        Raises:
            OutputExistsError: The folder holds the output of another job, whole or half-finished,
                or files that neither a manifest nor the record of a run names.
        """
        wanted = orjson.dumps(job, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        what, saved = self._saved_job()
        is_same = saved is not None and not list(changes_between(saved, orjson.loads(wanted)))
        if self.is_whole and is_same:
            return True
        if not is_same:
            if what is not None and not overwrite:
                self._refuse(what, saved, orjson.loads(wanted))
            self.clear()
            write_sealed(self.path / RUN, wanted)
        self._has_begun = True
        self._drop_damaged_copies()
        return False

    def _saved_job(self) -> tuple[str | None, object]:
        """Returns what the folder holds, if anything, and its job where that can be told."""
        if self.is_whole:
            return "a pack set", self.finished.get("job")
        try:
            return "a half-finished run", self.job
        except FileNotFoundError:
            return None, None
        except ChecksumError:
            return f"a half-finished run whose {WORK}/{RUN} is damaged, and", None

    @property
    def job(self) -> dict[str, Any]:
        """The job that is being done here, as `begin` was given it."""
        path = self.path / RUN
        job: dict[str, Any] = orjson.loads(split_sealed(path, memoryview(read_file(path)))[0])
        return job

    @property
    def finished(self) -> dict[str, Any]:
        """What run.json of a whole pack set holds; nothing where the set has none."""
        try:
            run = orjson.loads(read_file(self.out / RUN))
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return run if isinstance(run, dict) else {}

    def load_span(self, number: int) -> SpanResult | None:
        """Returns what an earlier run measured for a span, if it did and that is undamaged."""
        path = self._span_path(number)
        if not path.exists():
            return None
        try:
            # A file without bytes cannot be mapped.
            mapped = pa.memory_map(str(path)).read_buffer() if path.stat().st_size else b""
            content, self._seals[number] = split_sealed(path, memoryview(mapped))
        except ChecksumError:
            self.redo(path)
            return None
        with pa.ipc.open_file(pa.py_buffer(content)) as reader:
            table = reader.read_all()
        metadata = table.schema.metadata
        rejects = [Reject(*fields) for fields in orjson.loads(metadata[_REJECTS_KEY])]
        return SpanResult(int(metadata[_READ_KEY]), table.replace_schema_metadata(None), rejects)

    def save_span(self, number: int, measurement: SpanResult) -> None:
        """Keeps what was measured for a span."""
        metadata = {
            _READ_KEY: str(measurement.read).encode(),
            _REJECTS_KEY: orjson.dumps([list(reject) for reject in measurement.rejects]),
        }
        table = measurement.table.replace_schema_metadata(metadata)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self._seals[number] = write_sealed(self._span_path(number), memoryview(sink.getvalue()))

    def forget_spans(self) -> None:
        """Drops all that was measured: an input is not what it was."""
        remove_folders(self.path, "measured")

    def plan_shards(self, names: Sequence[str], *, is_folder: bool) -> None:
        """Notes which shards the run is going to write; those of another plan are dropped.

        Args:
            names: Names of the shards without their ending.
            is_folder: Whether a shard is a folder of one file a pack.
        """
        measured = xxhash.xxh3_128_hexdigest(
            b"".join(seal for _, seal in sorted(self._seals.items()))
        )
        plan = {"shards": list(names), "is_folder": is_folder, "measured": measured}
        old = self._plan()
        if old == plan:
            return
        if old is not None:
            SetFiles(frozenset([*old["shards"], *names]), is_folder).remove(self.out)
        remove_folders(self.path, "shards")
        write_sealed(self.path / PLAN, orjson.dumps(plan))

    def load_entry(self, number: int) -> ShardEntry | None:
        """Returns the entry of a shard that an earlier run finished, if it did."""
        path = self._entry_path(number)
        if not path.exists():
            return None
        try:
            content, _ = split_sealed(path, memoryview(read_file(path)))
        except ChecksumError:
            self.redo(path)
            return None
        return ShardEntry(**orjson.loads(content))

    def save_entry(self, number: int, entry: ShardEntry) -> None:
        """Notes that a shard is finished."""
        write_sealed(self._entry_path(number), orjson.dumps(entry))

    def redo(self, path: Path) -> None:
        """Counts a kept result that is damaged or missing, and so is made again."""
        if (name := path.relative_to(self.out).as_posix()) not in self.redone:
            self.redone.append(name)

    def clear(self) -> None:
        """Removes what an earlier run wrote, and nothing else; the lock and what came in stay.

        Raises:
            OutputExistsError: The folder holds files that no manifest or record names; nothing is
                removed.
        """
        if self.is_whole:
            SetFiles.of_manifest(self.out).remove(self.out)
        elif (self.path / RUN).exists():
            plan = self._plan() or _NO_PLAN
            SetFiles(frozenset(plan["shards"]), plan["is_folder"]).remove(self.out)
        elif others := sorted(name for name in os.listdir(self.out) if name != WORK):
            detail = f"holds {others[0]}: files that no pack set has"
            raise OutputExistsError(self.out, f"{detail}; out must be an empty or a new folder")
        remove_folders(self.path, *RESULTS)
        for name in (PLAN, RUN):
            (self.path / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes the folder: the output is whole."""
        remove_work(self.out)

    def discard(self) -> None:
        """Removes all of the run, and the output folder where nothing else is in it."""
        self.clear()
        self.remove()
        with suppress(OSError):
            self.out.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self._leave_nothing_needless()
        finally:
            self._lock.release()

    def _leave_nothing_needless(self) -> None:
        if any(any((self.path / name).rglob("*")) for name in RESULTS):
            return
        # What hinders it must not hide the error that ended the run.
        with suppress(OSError):
            if self._has_begun and not self.is_whole:
                self.clear()
            if not (self.path / RUN).exists():
                self.remove()
            if not self._was_there:
                self.out.rmdir()

    def _refuse(self, what: str, saved: object, wanted: object) -> None:
        if saved is None:
            detail = f"already holds {what} that does not say which job made it"
        else:
            changes = list(changes_between(saved, wanted))
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            detail = f"already holds {what} of another job ({'; '.join(changes[:_SHOWN])}{more})"
        raise OutputExistsError(self.out, f"{detail}; overwrite replaces it")

    def _plan(self) -> dict[str, Any] | None:
        path = self.path / PLAN
        try:
            content, _ = split_sealed(path, memoryview(read_file(path)))
        except FileNotFoundError:
            return None
        except ChecksumError:
            self.redo(path)
            return _NO_PLAN
        plan: dict[str, Any] = orjson.loads(content)
        return plan

    def _drop_damaged_copies(self) -> None:
        for copy in sorted(self.staging.rglob("*")):
            if copy.is_file() and not copy.name.endswith((CHECKSUM_SUFFIX, ".tmp")):
                checksum = copy.with_name(copy.name + CHECKSUM_SUFFIX)
                if not checksum.exists() or read_file(checksum) != file_checksum(copy).encode():
                    copy.unlink()
                    self.redo(copy)

    def _span_path(self, number: int) -> Path:
        return self.path / "measured" / f"{number:06d}.arrow"

    def _entry_path(self, number: int) -> Path:
        return self.path / "shards" / f"{number:06d}.json"
