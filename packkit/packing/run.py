"""The steps of a packing run, for whoever decides which samples are packed."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from packkit.base.engine import Engine, LocalEngine, Progress
from packkit.base.errors import (
    OutputExistsError,
    PackkitError,
    RejectRateError,
    RejectReason,
    SourceChangedError,
)
from packkit.base.files import write_atomically
from packkit.encoding import SampleEncoder
from packkit.packing.config import PackConfig
from packkit.packing.kept import KeptResults
from packkit.packing.pass1 import SpanMeasurer, span_tasks
from packkit.packing.pass2 import ShardMaker, shard_name
from packkit.packing.replace import Output
from packkit.packing.report import PackRejectRateError, PackReport
from packkit.packing.sample_table import SampleTable
from packkit.packing.selection import Selection
from packkit.packing.span import Notes, Reject, reject_lines, table_schema
from packkit.packing.workfolder import WorkFolder
from packkit.planning import PackPlan
from packkit.planning.arrange import ShardTask, arrange
from packkit.shards import MANIFEST, REJECTS, Manifest, ShardEntry, encoder_checksums
from packkit.shards.manifest import with_checksum
from packkit.shards.set_files import RUN
from packkit.sources import Source

T = TypeVar("T")
R = TypeVar("R")


class Pass1Result(NamedTuple):
    """What pass 1 found.

    Attributes:
        measured: Rows of the samples that can be packed.
        reads: Number of records of each source.
        rejects: Samples that cannot be packed, in the order of the sources.
    """

    measured: SampleTable
    reads: list[int]
    rejects: list[Reject]


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

    A run that is to replace a set and whose inputs are not legal leaves nothing but that set.

    Args:
        out: Folder of the pack set.
        config: Options of the run.
        encoder: Encoder that the lengths come from.
        engine: Runs the tasks; by default threads of this process.
        on_progress: Is told how far the run has come.

    Raises:
        OutputExistsError: `out` holds a set that cannot be replaced.
        LockedError: Another process packs into `out`.
    """
    with Output(out, overwrite=config.overwrite) as output, WorkFolder(output.folder) as work:
        try:
            yield PackRun(
                output=output,
                config=config,
                encoder=encoder,
                engine=engine or LocalEngine(config.workers),
                work=work,
                on_progress=on_progress or (lambda phase, done, total: None),
            )
        except SourceChangedError:
            # What was measured holds no more: the next run would fail at the same place.
            work.forget_spans()
            raise
        except (RejectRateError, OutputExistsError):
            raise
        except PackkitError:
            if output.is_beside:
                with suppress(OutputExistsError):
                    work.discard()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRun:
    """One run, in the order of its methods.

    Attributes:
        output: Folder of the pack set, which the run may write beside.
        config: Options of the run.
        encoder: Encoder that the lengths come from.
        engine: Runs the tasks.
        work: Folder that holds the state of the run until the set is whole.
        on_progress: Is told how far the run has come.
        started: Time at which the run began, seconds since 1970.
    """

    output: Output
    config: PackConfig
    encoder: SampleEncoder
    engine: Engine
    work: WorkFolder
    on_progress: Progress
    started: float = field(default_factory=time.time)

    @property
    def out(self) -> Path:
        """Folder that the run writes in."""
        return self.work.out

    def begin(self, job: Mapping[str, Any]) -> PackReport | None:
        """Starts a job, or goes on with it where an earlier run stopped.

        Args:
            job: Everything that the output depends on, as JSON values.

        Returns:
            The report of the pack set where an earlier run has finished this job; else None.

        Raises:
            OutputExistsError: The folder holds something else.
            PackRejectRateError: The job is finished, and too many samples were rejected.
        """
        if not self.work.begin(job, overwrite=self.config.overwrite):
            return None
        manifest = Manifest.read(self.out)
        if self.output.is_beside and self._is_too_lax(manifest):
            self.work.clear()
            return self.begin(job)
        if self._is_too_lax(manifest):
            detail = f"already holds a pack set, {manifest.samples_rejected} samples rejected"
            raise OutputExistsError(
                self.out, f"{detail}; strict allows none; overwrite packs them again"
            )
        return self._finish(
            self._report(manifest, self.work.finished.get("fill_packs"), was_complete=True)
        )

    def measure(self, sources: Sequence[Source], notes: Notes | None = None) -> Pass1Result:
        """Runs pass 1 over all sources.

        Args:
            sources: All inputs, in order.
            notes: Makes further columns of every sample; by default there are none.

        Raises:
            SampleError: A sample is rejected and the run is strict, or a sample is too long and
                `overlong` is ``error``.
        """
        tasks = list(span_tasks(sources))
        results = self._resumed(
            "measure",
            tasks,
            load=KeptResults(self.work, self.config).span,
            function=SpanMeasurer(sources, self.encoder, self.config, notes),
            save=self.work.save_span,
        )
        reads = [0] * len(sources)
        bases: list[int] = []
        tables = []
        rejects: list[Reject] = []
        for task, (read, table, rejected) in zip(tasks, results, strict=True):
            base = reads[task.source]
            rejects += [reject._replace(position=base + reject.position) for reject in rejected]
            bases.append(base)
            tables.append(table)
            reads[task.source] += read
        return Pass1Result(SampleTable.of_spans(tables, bases, table_schema(notes)), reads, rejects)

    def commit(self, sources: Sequence[Source], selection: Selection) -> PackReport:
        """Plans, runs pass 2, and writes the manifest last.

        Args:
            sources: All inputs, in order.
            selection: The samples to pack.

        Raises:
            SourceChangedError: A source is not what it was in pass 1.
            PackRejectRateError: Too many samples were rejected; the pack set is whole.
        """
        plan, tasks = self._arrange(selection.measured)
        entries = self._write_shards(sources, selection, tasks)
        self.encoder.save(self.out / "encoder")
        rejects = reject_lines(selection.rejects)
        write_atomically(self.out / REJECTS, rejects)
        manifest = self._manifest(selection, plan, entries, hashlib.sha256(rejects).hexdigest())
        report = self._report(manifest, plan.fill_packs)
        self._write_run(sources, report)
        write_atomically(self.out / MANIFEST, manifest.to_json())
        return self._finish(report)

    def _finish(self, report: PackReport) -> PackReport:
        """Ends a run whose set is whole: it gets its place, unless too many were rejected."""
        if self.output.is_beside:
            self._check_reject_rate(report)
            self.output.take_place(self.work)
        self.work.remove()
        self._check_reject_rate(report)
        return report

    def _arrange(self, measured: SampleTable) -> tuple[PackPlan, Sequence[ShardTask]]:
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
        return arrangement.plan, arrangement.shards

    def _write_shards(
        self, sources: Sequence[Source], selection: Selection, tasks: Sequence[ShardTask]
    ) -> list[ShardEntry]:
        measured, names = selection.measured, selection.origins.names
        maker = ShardMaker(self.out, sources, measured, names, self.config)
        is_folder = self.config.storage == "files"
        self.work.plan_shards(list(map(shard_name, tasks)), is_folder=is_folder)
        load, save = KeptResults(self.work, self.config).entry, self.work.save_entry
        return list(self._resumed("write", tasks, load=load, function=maker, save=save))

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
        kept = LocalEngine(self.config.workers).run(load, range(len(tasks)))
        done = {number: result for number, result in enumerate(kept) if result}
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
        selection: Selection,
        plan: PackPlan,
        entries: Sequence[ShardEntry],
        rejects_sha256: str,
    ) -> Manifest:
        return Manifest(
            capacity=self.config.max_len,
            storage=self.config.storage,
            encoder=self.encoder.describe(),
            options={**self.config.identity(), **selection.options},
            samples_read=sum(selection.origins.reads),
            samples_packed=len(plan.sample_order),
            samples_rejected=len(selection.rejects),
            rejects=dict(sorted(Counter(reject.reason for reject in selection.rejects).items())),
            duplicate_ids=selection.duplicate_ids,
            packs=plan.packs,
            tokens=plan.tokens,
            images=int(selection.measured.images.sum()),
            efficiency=plan.efficiency,
            lower_bound=plan.lower_bound,
            gap=plan.gap,
            sources=selection.source_entries(),
            shards=entries,
            rejects_sha256=rejects_sha256,
            encoder_sha256=encoder_checksums(self.out),
        )

    def _report(
        self, manifest: Manifest, fill_packs: int | None, *, was_complete: bool = False
    ) -> PackReport:
        return PackReport(
            manifest=manifest,
            fill_packs=fill_packs,
            seconds=round(time.time() - self.started, 3),
            was_complete=was_complete,
            redone=list(self.work.redone),
        )

    def _write_run(self, sources: Sequence[Source], report: PackReport) -> None:
        """Writes run.json: what may differ between runs, and only that."""
        run = {
            "job": self.work.job,
            "fill_packs": report.fill_packs,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": report.seconds,
            "host": platform.node(),
            "python": platform.python_version(),
            "packkit": version("packkit"),
            "workers": self.config.workers,
            "tokenizer": self.config.tokenizer,
            "sources": {source.name: os.path.abspath(source.path) for source in sources},
        }
        write_atomically(self.out / RUN, with_checksum(run))

    def _is_too_lax(self, manifest: Manifest) -> bool:
        # Samples whose id repeats are left out by strict runs, too.
        rejected = manifest.samples_rejected - manifest.rejects.get(RejectReason.DUPLICATE_ID, 0)
        return self.config.strict and rejected > 0

    def _check_reject_rate(self, report: PackReport) -> None:
        limit = self.config.max_reject_rate
        if report.samples_rejected > limit * report.samples_read:
            raise PackRejectRateError(report, limit, self.out / REJECTS)
