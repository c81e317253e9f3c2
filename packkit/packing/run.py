"""The steps of a packing run, for whoever decides which samples are packed."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypeVar

import orjson

from packkit.base.engine import Engine, LocalEngine, Progress
from packkit.base.files import write_atomically
from packkit.encoding import SampleEncoder
from packkit.packing.config import PackConfig
from packkit.packing.pass1 import SpanMeasurer
from packkit.packing.pass2 import ShardMaker
from packkit.packing.report import PackRejectRateError, PackReport
from packkit.packing.sample_table import SampleTable
from packkit.packing.selection import Selection
from packkit.packing.span import Notes, Reject, SpanTask, reject_lines
from packkit.packing.workfolder import WorkFolder
from packkit.planning.arrange import Arrangement, ShardTask, arrange
from packkit.shards import MANIFEST, REJECTS, Manifest, ShardEntry, encoder_checksums
from packkit.sources import Source, container_named

T = TypeVar("T")
R = TypeVar("R")


class Pass1Result(NamedTuple):
    """What pass 1 found.

    Attributes:
        measured: The samples that can be packed.
        reads: Records of each source.
        rejects: The others, in the order of the sources.
    """

    measured: SampleTable
    reads: list[int]
    rejects: list[Reject]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRun:
    """One run, in the order of its methods.

    Attributes:
        out: Folder of the pack set.
        config: Options.
        encoder: Decides the lengths.
        engine: Runs the tasks.
        work: Its half-finished state.
        on_progress: Is told how far the run has come.
        started: When it began, seconds since 1970.
    """

    out: Path
    config: PackConfig
    encoder: SampleEncoder
    engine: Engine
    work: WorkFolder
    on_progress: Progress
    started: float = field(default_factory=time.time)

    def measure(self, sources: Sequence[Source], notes: Notes | None = None) -> Pass1Result:
        """Runs pass 1 over all sources.

        Raises:
            SampleError: A sample is rejected and the run is strict.
        """
        tasks = list(_span_tasks(sources))
        measurements = self._resumed(
            "measure",
            tasks,
            load=self.work.load_span,
            function=SpanMeasurer(sources, self.encoder, self.config, notes),
            save=self.work.save_span,
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
        return Pass1Result(SampleTable.of_spans(tables, bases), reads, rejects)

    def commit(self, sources: Sequence[Source], chosen: Selection) -> PackReport:
        """Plans, runs pass 2, and writes the manifest last.

        Raises:
            SourceChangedError: A source is not what it was in pass 1.
            PackRejectRateError: Too many samples were rejected; the pack set is whole.
        """
        measured = chosen.measured
        arrangement = arrange(
            measured.length,
            measured.images,
            measured.stored,
            capacity=self.config.max_len,
            shard_size=self.config.shard_size,
            seed=self.config.seed,
            algorithm=self.config.algorithm,
            max_images=self.config.max_images,
            max_samples=self.config.max_samples,
        )
        entries = self._write(sources, chosen, arrangement.shards)
        self.encoder.save(self.out / "encoder")
        rejects = reject_lines(chosen.rejects)
        write_atomically(self.out / REJECTS, rejects)
        manifest = self._manifest(chosen, arrangement, entries, hashlib.sha256(rejects).hexdigest())
        report = self._report(manifest, arrangement)
        self._write_run(sources, report)
        write_atomically(self.out / MANIFEST, manifest.to_json())
        self.work.remove()
        self._check_reject_rate(report)
        return report

    def _write(
        self, sources: Sequence[Source], chosen: Selection, tasks: Sequence[ShardTask]
    ) -> list[ShardEntry]:
        maker = ShardMaker(self.out, sources, chosen.measured, chosen.origins.names, self.config)
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

    def _manifest(
        self,
        chosen: Selection,
        arrangement: Arrangement,
        entries: Sequence[ShardEntry],
        rejects_sha256: str,
    ) -> Manifest:
        plan = arrangement.plan
        return Manifest(
            capacity=self.config.max_len,
            storage=self.config.storage,
            encoder=self.encoder.describe(),
            options={**self.config.identity(), **chosen.options},
            samples_read=sum(chosen.origins.reads),
            samples_packed=len(plan.sample_order),
            samples_rejected=len(chosen.rejects),
            rejects=dict(sorted(Counter(reject.reason for reject in chosen.rejects).items())),
            duplicate_ids=chosen.duplicate_ids,
            packs=plan.packs,
            tokens=plan.tokens,
            images=int(chosen.measured.images.sum()),
            efficiency=plan.efficiency,
            lower_bound=plan.lower_bound,
            gap=plan.gap,
            sources=chosen.source_entries(),
            shards=entries,
            rejects_sha256=rejects_sha256,
            encoder_sha256=encoder_checksums(self.out),
        )

    def _report(self, manifest: Manifest, arrangement: Arrangement) -> PackReport:
        return PackReport(
            samples_read=manifest.samples_read,
            samples_packed=manifest.samples_packed,
            samples_rejected=manifest.samples_rejected,
            rejects=manifest.rejects,
            sources=manifest.sources,
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
            seconds=round(time.time() - self.started, 3),
        )

    def _write_run(self, sources: Sequence[Source], report: PackReport) -> None:
        """Writes run.json: what may differ between runs, and only that."""
        run = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": report.seconds,
            "host": platform.node(),
            "python": platform.python_version(),
            "packkit": version("packkit"),
            "workers": self.config.workers,
            "tokenizer": self.config.tokenizer,
            "sources": {source.name: os.path.abspath(source.path) for source in sources},
        }
        write_atomically(self.out / "run.json", orjson.dumps(run, option=orjson.OPT_INDENT_2))

    def _check_reject_rate(self, report: PackReport) -> None:
        rejected, read = report.samples_rejected, report.samples_read
        limit = self.config.max_reject_rate
        if rejected > limit * read:
            raise PackRejectRateError(report, limit, self.out / REJECTS)


@contextmanager
def open_run(
    out: Path,
    config: PackConfig,
    encoder: SampleEncoder,
    *,
    engine: Engine | None = None,
    on_progress: Progress | None = None,
) -> Iterator[PackRun]:
    """Opens the output folder of a run, and locks it until the run is over.

    Args:
        out: Folder of the pack set.
        config: Options.
        encoder: Decides the lengths.
        engine: Runs the tasks; by default threads of this process.
        on_progress: Is told how far the run has come.

    Raises:
        LockedError: Another process packs into `out`.
    """
    with WorkFolder(out) as work:
        yield PackRun(
            out=out,
            config=config,
            encoder=encoder,
            engine=engine or LocalEngine(config.workers),
            work=work,
            on_progress=on_progress or _no_progress,
        )


def _span_tasks(sources: Sequence[Source]) -> Iterator[SpanTask]:
    for number, source in enumerate(sources):
        for span in container_named(source.container).split(Path(source.path)):
            yield SpanTask(number, span)


def _no_progress(phase: str, done: int, total: int) -> None:
    """Tells nobody."""
