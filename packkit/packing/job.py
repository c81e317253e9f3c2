"""The main job: measure, plan, write, commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packkit.base.engine import Engine, Progress
from packkit.base.errors import RejectReason
from packkit.encoding import SampleEncoder
from packkit.packing.config import PackConfig
from packkit.packing.intake import Inputs, Intake, take_in
from packkit.packing.pass2 import read_sample
from packkit.packing.report import PackReport
from packkit.packing.run import PackRun, Pass1Result, open_run
from packkit.packing.sample_table import SampleTable
from packkit.packing.selection import Origins, Selection
from packkit.packing.span import Reject
from packkit.sources import Source, open_source


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
        inputs: Paths (files, folders, globs), an open binary stream of JSON lines, or samples.
        out: Folder of the pack set.
        config: Options; the defaults are those of the command line.
        encoder: Decides the lengths; by default made from `config`.
        engine: Runs the tasks; by default threads of this process.
        on_progress: Is told how far the run has come.

    Raises:
        InputError: Inputs or options do not make sense.
        OutputExistsError: `out` already holds something else.
        LockedError: Another process packs into `out`.
        SampleError: A sample is rejected and `config.strict` is set.
        SourceChangedError: An input changed between the two passes.
        PackRejectRateError: More than `config.max_reject_rate` were rejected; the pack set is
            whole, and the error carries the report.
    """
    config = config or PackConfig()
    encoder = encoder or config.encoder()
    with open_run(Path(out), config, encoder, engine=engine, on_progress=on_progress) as run:
        intake = take_in(inputs, run.work.incoming)
        identity = {
            "inputs": intake.identity,
            "options": config.identity(),
            "encoder": encoder.describe(),
        }
        run.work.begin(identity, overwrite=config.overwrite)
        sources = _open(run, intake)
        return run.commit(sources, _choose(sources, run.measure(sources), config))


def _open(run: PackRun, intake: Intake) -> list[Source]:
    open_file = partial(
        open_source,
        staging=run.work.staging,
        layout=run.config.layout,
        columns=run.config.columns,
        data_root=run.config.data_root or intake.data_root,
    )
    return list(run.engine.run(open_file, intake.files))


def _choose(sources: Sequence[Source], found: Pass1Result, config: PackConfig) -> Selection:
    """Takes every sample, or the first of each id."""
    measured, rejects = found.measured, list(found.rejects)
    rows, repeats = _first_of_each_id(measured)
    if config.unique_ids:
        rejects += [_reject_repeat(sources, measured, row) for row in repeats.tolist()]
        measured = measured.take(rows)
    rejects.sort(key=_place({source.name: i for i, source in enumerate(sources)}))
    return Selection(
        measured=measured,
        origins=Origins(
            [source.name for source in sources],
            [source.layout for source in sources],
            found.reads,
        ),
        rejects=rejects,
        duplicate_ids=len(repeats),
    )


def _first_of_each_id(measured: SampleTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the rows whose id is new or missing, and the rows that repeat one, both in order."""
    has_id = np.flatnonzero(measured.id_hash)
    _, first = np.unique(measured.id_hash[has_id], return_index=True)
    repeats = np.delete(has_id, first)
    return np.delete(np.arange(len(measured)), repeats), repeats


def _reject_repeat(sources: Sequence[Source], measured: SampleTable, row: int) -> Reject:
    source = sources[int(measured.source[row])]
    sample = read_sample(source, measured, row)
    position = int(measured.position[row])
    reason = RejectReason.DUPLICATE_ID
    return Reject(source.name, position, sample.id, reason.value, "an earlier sample has this id")


def _place(order: dict[str, int]) -> Callable[[Reject], tuple[int, int]]:
    return lambda reject: (order[reject.source], reject.position)
