"""The main job: measure, plan, write, commit."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

import packkit
from packkit.encoding import SampleEncoder
from packkit.engine import Engine, LocalEngine
from packkit.errors import RejectRateError, RejectReason
from packkit.files import write_atomically
from packkit.packing.arrange import Arrangement, ShardTask, arrange
from packkit.packing.config import PackConfig
from packkit.packing.intake import Inputs, Intake, take_in
from packkit.packing.measure import Measurer, Reject, SpanTask
from packkit.packing.measured import Measured
from packkit.packing.report import PackReport
from packkit.packing.workfolder import WorkFolder
from packkit.packing.write import ShardMaker, read_sample
from packkit.shards import MANIFEST, REJECTS, Manifest, ShardEntry, encoder_checksums
from packkit.sources import Source, container_named, open_source

__all__ = ["Progress", "pack"]

T = TypeVar("T")
R = TypeVar("R")


class Progress(Protocol):
    """Is told how far a run has come."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Takes the phase, ``measure`` or ``write``, and its tasks done and in all."""


def pack(
    inputs: Inputs,
    out: str | Path = "packs",
    config: PackConfig | None = None,
    *,
    encoder: SampleEncoder | None = None,
    engine: Engine | None = None,
    on_progress: Progress | None = None,
) -> PackReport:
    """Packs samples into bins of `config.max_len` tokens and writes them as a pack set.

    1. Stage what cannot be read by offset, and tell every file's layout.
    2. Pass 1: measure every sample's true length; reject, with its reason, what is not legal.
    3. Plan: exact First-Fit-Decreasing over a seeded permutation of the samples.
    4. Pass 2: write shard by shard; then rejects and, last, the manifest.

    A run that was killed goes on where it stopped when it is started again with the same inputs
    and options, and ends with the same bytes.

    Args:
        inputs: paths (files, folders, globs), an open binary stream of JSON lines, or samples.
        out: folder of the pack set.
        config: options; the defaults are those of the command line.
        encoder: decides the lengths; by default made from `config`.
        engine: runs the tasks; by default threads of this process.
        on_progress: is told how far the run has come.

    Raises:
        InputError: inputs or options do not make sense.
        OutputExistsError: `out` already holds something else.
        LockedError: another process packs into `out`.
        SampleError: a sample is rejected and `config.strict` is set.
        SourceChangedError: an input changed between the two passes.
        RejectRateError: more than `config.max_reject_rate` were rejected; the pack set is whole.
    """
    started = time.time()
    config = config or PackConfig()
    encoder = encoder or SampleEncoder(
        config.tokenizer, image_tokens=config.image_tokens, template=config.template
    )
    engine = engine or LocalEngine(config.workers)
    with WorkFolder(Path(out)) as work:
        intake = take_in(inputs, work.incoming)
        identity = {
            "inputs": intake.identity,
            "options": config.identity(),
            "encoder": encoder.describe(),
        }
        work.begin(identity, overwrite=config.overwrite)
        job = _Job(Path(out), config, encoder, engine, work, on_progress or _no_progress)
        return job.run(intake, started)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What both passes came to."""

    sources: Sequence[Source]
    reads: Sequence[int]
    rejects: Sequence[Reject]
    rejects_bytes: bytes
    arrangement: Arrangement
    entries: Sequence[ShardEntry]
    measured: Measured
    duplicate_ids: int

    def source_entries(self) -> list[dict[str, Any]]:
        rejected = Counter(reject.source for reject in self.rejects)
        return [
            {
                "name": source.name,
                "format": source.layout,
                "read": read,
                "packed": read - rejected[source.name],
                "rejected": rejected[source.name],
            }
            for source, read in zip(self.sources, self.reads, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Job:
    """One run; its steps in the order in which `run` takes them."""

    out: Path
    config: PackConfig
    encoder: SampleEncoder
    engine: Engine
    work: WorkFolder
    on_progress: Progress

    def run(self, intake: Intake, started: float) -> PackReport:
        sources = self._open(intake)
        measured, rejects, reads = self._measure(sources)
        rows, repeats = _first_of_each_id(measured)
        if self.config.unique_ids:
            rejects += [self._reject_repeat(sources, measured, row) for row in repeats.tolist()]
        else:
            rows = np.arange(len(measured))
        arrangement = self._arrange(measured, rows)
        entries = self._write(sources, measured, arrangement.shards)
        self.encoder.save(self.out / "encoder")
        rejects.sort(key=_place({source.name: i for i, source in enumerate(sources)}))
        rejects_bytes = b"".join(orjson.dumps(reject._asdict()) + b"\n" for reject in rejects)
        write_atomically(self.out / REJECTS, rejects_bytes)
        outcome = _Outcome(
            sources, reads, rejects, rejects_bytes, arrangement, entries, measured, len(repeats)
        )
        manifest = self._manifest(outcome)
        report = self._report(manifest, arrangement, started)
        self._write_run(sources, report, started)
        write_atomically(self.out / MANIFEST, manifest.to_json())
        self.work.remove()
        self._check_reject_rate(report)
        return report

    def _open(self, intake: Intake) -> list[Source]:
        open_file = partial(
            open_source,
            staging=self.work.staging,
            layout=self.config.format,
            columns=self.config.columns,
            data_root=self.config.data_root or intake.data_root,
        )
        return list(self.engine.run(open_file, intake.files))

    def _measure(self, sources: Sequence[Source]) -> tuple[Measured, list[Reject], list[int]]:
        """Runs pass 1; returns the samples, the rejects, and the records read of each source."""
        tasks = list(_span_tasks(sources))
        measurements = self._resumed(
            "measure",
            tasks,
            load=self.work.load_measurement,
            function=Measurer(sources, self.encoder, self.config),
            save=self.work.save_measurement,
        )
        reads = [0] * len(sources)
        bases: list[int] = []
        tables = []
        rejects: list[Reject] = []
        for task, (read, table, rejected) in zip(tasks, measurements, strict=True):
            base = reads[task.source]
            rejects += [reject._replace(position=base + reject.position) for reject in rejected]
            bases.append(base)
            tables.append(table)
            reads[task.source] += read
        return Measured(tables, bases), rejects, reads

    def _arrange(self, measured: Measured, rows: NDArray[np.int64]) -> Arrangement:
        arrangement = arrange(
            measured.length[rows], measured.images[rows], measured.stored[rows], self.config
        )
        shards = [task._replace(samples=rows[task.samples]) for task in arrangement.shards]
        return Arrangement(arrangement.plan, shards)

    def _write(
        self, sources: Sequence[Source], measured: Measured, tasks: Sequence[ShardTask]
    ) -> list[ShardEntry]:
        """Runs pass 2; returns the entries of the shards."""
        maker = ShardMaker(self.out, sources, measured, self.config)
        return list(
            self._resumed(
                "write", tasks, load=self.work.load_entry, function=maker, save=self.work.save_entry
            )
        )

    def _resumed(
        self,
        phase: str,
        tasks: Sequence[T],
        *,
        load: Callable[[int], R | None],
        function: Callable[[T], R],
        save: Callable[[int, R], None],
    ) -> Iterator[R]:
        """Yields every task's result, running only those that no earlier run finished."""
        done = {number: result for number in range(len(tasks)) if (result := load(number))}
        missing = [number for number in range(len(tasks)) if number not in done]

        def run(number: int) -> R:
            result = function(tasks[number])
            save(number, result)
            return result

        fresh = self.engine.run(run, missing)
        for number in range(len(tasks)):
            self.on_progress(phase, number, len(tasks))
            yield done[number] if number in done else next(fresh)
        self.on_progress(phase, len(tasks), len(tasks))

    def _reject_repeat(self, sources: Sequence[Source], measured: Measured, row: int) -> Reject:
        source = sources[int(measured.source[row])]
        sample = read_sample(source, measured, row)
        position = int(measured.position[row])
        reason = RejectReason.DUPLICATE_ID
        return Reject(
            source.name, position, sample.id, reason.value, "an earlier sample has this id"
        )

    def _manifest(self, outcome: _Outcome) -> Manifest:
        plan = outcome.arrangement.plan
        rows = [task.samples for task in outcome.arrangement.shards]
        return Manifest(
            capacity=self.config.max_len,
            layout=self.config.layout,
            encoder=self.encoder.describe(),
            options=self.config.identity(),
            samples_read=sum(outcome.reads),
            samples_packed=len(plan.sample_order),
            samples_rejected=len(outcome.rejects),
            rejects=dict(sorted(Counter(reject.reason for reject in outcome.rejects).items())),
            duplicate_ids=outcome.duplicate_ids,
            packs=plan.packs,
            tokens=plan.tokens,
            images=sum(int(outcome.measured.images[part].sum()) for part in rows),
            efficiency=plan.efficiency,
            lower_bound=plan.lower_bound,
            gap=plan.gap,
            sources=outcome.source_entries(),
            shards=outcome.entries,
            rejects_sha256=hashlib.sha256(outcome.rejects_bytes).hexdigest(),
            encoder_sha256=encoder_checksums(self.out),
        )

    def _report(self, manifest: Manifest, arrangement: Arrangement, started: float) -> PackReport:
        return PackReport(
            samples_read=manifest.samples_read,
            samples_packed=manifest.samples_packed,
            samples_rejected=manifest.samples_rejected,
            rejects=manifest.rejects,
            duplicate_ids=manifest.duplicate_ids,
            packs=manifest.packs,
            tokens=manifest.tokens,
            images=manifest.images,
            efficiency=manifest.efficiency,
            lower_bound=manifest.lower_bound,
            gap=manifest.gap,
            fill_packs=arrangement.plan.fill_packs,
            shards=len(manifest.shards),
            bytes=sum(shard.bytes for shard in manifest.shards),
            seconds=round(time.time() - started, 3),
        )

    def _write_run(self, sources: Sequence[Source], report: PackReport, started: float) -> None:
        """Writes run.json: what may differ between runs, and only that."""
        run = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": report.seconds,
            "host": platform.node(),
            "python": platform.python_version(),
            "packkit": packkit.__version__,
            "workers": self.config.workers,
            "tokenizer": self.config.tokenizer,
            "sources": {source.name: os.path.abspath(source.path) for source in sources},
        }
        write_atomically(self.out / "run.json", orjson.dumps(run, option=orjson.OPT_INDENT_2))

    def _check_reject_rate(self, report: PackReport) -> None:
        rejected, read, limit = (
            report.samples_rejected,
            report.samples_read,
            self.config.max_reject_rate,
        )
        if rejected > limit * read:
            raise RejectRateError(rejected, read, limit, self.out / REJECTS, report)


def _span_tasks(sources: Sequence[Source]) -> Iterator[SpanTask]:
    for number, source in enumerate(sources):
        for span in container_named(source.container).split(Path(source.path)):
            yield SpanTask(number, span)


def _first_of_each_id(measured: Measured) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the rows whose id is new or missing, and the rows that repeat one, both in order."""
    has_id = np.flatnonzero(measured.id_hash)
    _, first = np.unique(measured.id_hash[has_id], return_index=True)
    repeats = np.delete(has_id, first)
    return np.delete(np.arange(len(measured)), repeats), repeats


def _place(order: dict[str, int]) -> Callable[[Reject], tuple[int, int]]:
    return lambda reject: (order[reject.source], reject.position)


def _no_progress(phase: str, done: int, total: int) -> None:
    """Tells nobody."""
