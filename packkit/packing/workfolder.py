"""The half-finished state of a run, kept beside its output until that is whole.

``OUT/.work`` holds the lock, the identity of the run, staged copies, one measured table a span and
one entry a finished shard. A task's file appears under its name only when the task is done, so a
run that was killed goes on where it stopped, and ends with the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
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

_NAME = ".work"
_SET_FILES = (MANIFEST, REJECTS, "run.json")
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

    def begin(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        """Goes on with the run that left this folder, or starts a new one.

        Args:
            identity: Everything that the output depends on.
            overwrite: Whether another run's output may be removed.

        Raises:
            OutputExistsError: The folder holds a pack set, or another run's half.
        """
        wanted = orjson.dumps(identity, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        record = self.path / "run.json"
        if record.exists() and record.read_bytes() == wanted:
            return
        if not overwrite:
            self._refuse(has_other_run=record.exists())
        self._remove_old()
        write_atomically(record, wanted)

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

    def _refuse(self, *, has_other_run: bool) -> None:
        if has_other_run:
            detail = "holds a half-finished run with other inputs or options"
        elif (self._out / MANIFEST).exists():
            detail = "already holds a pack set"
        elif any(path.name != _NAME for path in self._out.iterdir()):
            detail = "holds files that no pack set has; name an empty folder with --out"
            raise OutputExistsError(self._out, detail)
        else:
            return
        raise OutputExistsError(self._out, f"{detail}; --overwrite replaces it")

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
