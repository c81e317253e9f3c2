"""The state of a half-finished run, kept beside its output until that is whole.

``OUT/.work`` holds the lock, the job, staged copies, one measured table a span and one entry a
finished shard. A task's file appears under its name only when the task is done, so a run that was
killed goes on where it stopped, and ends with the same bytes. ``OUT/run.json`` keeps the job of a
whole set, so that doing it again ends at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa

from packkit.base.errors import OutputExistsError
from packkit.base.files import write_atomically
from packkit.base.lock import FileLock
from packkit.packing.span import Reject, SpanResult
from packkit.shards import MANIFEST, REJECTS, ShardEntry

RUN = "run.json"
"""Name of the record of a run: in the work folder its job, in the pack set what may differ."""

_NAME = ".work"
_SET_FILES = (MANIFEST, REJECTS, RUN)

# Differences between two jobs that a message names.
_SHOWN = 3

_READ_KEY, _REJECTS_KEY = b"packkit.read", b"packkit.rejects"


class WorkFolder:
    """The work folder of one output folder, locked while it is open.

    Args:
        out: Folder of the pack set.

    Raises:
        LockedError: Another process packs into `out`.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.path = out / _NAME
        self._lock = FileLock(self.path / "lock", f"pack set {out}")

    @property
    def staging(self) -> Path:
        """Folder for copies of inputs that cannot be read by offset."""
        return self.path / "staged"

    def begin(self, job: Mapping[str, Any], *, overwrite: bool) -> bool:
        """Goes on with the run that left this folder, or starts a new one.

        Args:
            job: Everything that the output depends on, as JSON values.
            overwrite: Whether the output of another job, or of this one, may be removed.

        Returns:
            Whether an earlier run has finished this very job, so that nothing is left to do.

        Raises:
            OutputExistsError: The folder holds the output of another job, whole or half-finished,
                or files of another kind.
        """
        wanted = orjson.dumps(job, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        if not overwrite and (self._out / MANIFEST).exists():
            self._check_same("a pack set", self.finished.get("job"), orjson.loads(wanted))
            return True
        record = self.path / RUN
        if not record.exists() or record.read_bytes() != wanted:
            if not overwrite:
                self._check_unused(wanted)
            self._remove_old()
            write_atomically(record, wanted)
        return False

    @property
    def job(self) -> dict[str, Any]:
        """The job that is being done here, as `begin` was given it."""
        job: dict[str, Any] = orjson.loads((self.path / RUN).read_bytes())
        return job

    @property
    def finished(self) -> dict[str, Any]:
        """What run.json of a whole pack set holds; nothing where the set has none."""
        try:
            run = orjson.loads((self._out / RUN).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return run if isinstance(run, dict) else {}

    def load_span(self, number: int) -> SpanResult | None:
        """Returns what an earlier run measured for a span, if it did."""
        path = self._span_path(number)
        if not path.exists():
            return None
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
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
        write_atomically(self._span_path(number), memoryview(sink.getvalue()))

    def load_entry(self, number: int) -> ShardEntry | None:
        """Returns the entry of a shard that an earlier run finished, if it did."""
        path = self._entry_path(number)
        return ShardEntry(**orjson.loads(path.read_bytes())) if path.exists() else None

    def save_entry(self, number: int, entry: ShardEntry) -> None:
        """Notes that a shard is finished."""
        write_atomically(self._entry_path(number), orjson.dumps(entry))

    def remove(self) -> None:
        """Removes the folder: the output is whole."""
        shutil.rmtree(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _check_unused(self, wanted: bytes) -> None:
        if (self.path / RUN).exists():
            self._check_same("a half-finished run", self.job, orjson.loads(wanted))
        elif any(path.name != _NAME for path in self._out.iterdir()):
            detail = "holds files that no pack set has; out must be an empty or a new folder"
            raise OutputExistsError(self._out, detail)

    def _check_same(self, what: str, saved: object, wanted: object) -> None:
        if saved is None:
            detail = f"already holds {what} that does not say which job made it"
        elif changes := list(_changes(saved, wanted)):
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            detail = f"already holds {what} of another job ({'; '.join(changes[:_SHOWN])}{more})"
        else:
            return
        raise OutputExistsError(self._out, f"{detail}; overwrite replaces it")

    def _remove_old(self) -> None:
        """Removes what an earlier run wrote, and nothing else; the manifest first."""
        for name in _SET_FILES:
            (self._out / name).unlink(missing_ok=True)
        for path in [self._out / "encoder", *self._out.glob("shard-*")]:
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
        for path in self.path.iterdir():
            if path.is_dir() and path != self.incoming:
                shutil.rmtree(path)

    @property
    def incoming(self) -> Path:
        """Folder for samples that came through a pipe or an iterable."""
        return self.path / "incoming"

    def _span_path(self, number: int) -> Path:
        return self.path / "measured" / f"{number:06d}.arrow"

    def _entry_path(self, number: int) -> Path:
        return self.path / "shards" / f"{number:06d}.json"


def _changes(saved: Any, wanted: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401
    """Yields one line for each place at which two JSON values differ."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        for key in sorted(saved.keys() | wanted.keys()):
            inner = f"{place}.{key}" if place else key
            if key in saved and key in wanted:
                yield from _changes(saved[key], wanted[key], inner)
            else:
                yield f"only the job {'before' if key in saved else 'now'} has {inner}"
    elif isinstance(saved, list) and isinstance(wanted, list) and len(saved) == len(wanted):
        for number, (before, after) in enumerate(zip(saved, wanted, strict=True)):
            yield from _changes(before, after, f"{place}[{number}]")
    elif isinstance(saved, list) and isinstance(wanted, list):
        yield f"{place} were {len(saved)}, now {len(wanted)}"
    elif orjson.dumps(saved) != orjson.dumps(wanted):  # in Python 0 equals False
        yield f"{place} was {saved!r}, now {wanted!r}"
