"""The main job: measure, plan, write, commit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packkit.base.engine import Engine, Progress
from packkit.base.errors import RejectReason
from packkit.encoding import SampleEncoder
from packkit.packing.config import PackConfig
from packkit.packing.intake import Inputs, Intake, input_files, take_in
from packkit.packing.pass2 import reread_samples
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

    A run that was killed goes on where it stopped when the same job is started again, and ends with
    the same bytes; of a job that is finished, the report comes back at once. A job is the same
    where the names, sizes and times of its inputs are (of a stream, its content), and so are the
    encoder, the folder of the images and all options that can change the output.

    With `config.overwrite`, a set in `out` stays until the new one is whole: see `Output`.

    Args:
        inputs: Paths (files, folders, globs), an open binary stream of JSON lines, or samples.
        out: Folder of the pack set.
        config: Options of the run; by default those of the command line.
        encoder: Encoder that the lengths come from; by default made from `config`.
        engine: Runs the tasks; by default threads of this process.
        on_progress: Is told how far the run has come.

    Raises:
        InputError: Inputs or options do not make sense, or an input lies in `out`.
        OutputExistsError: `out` already holds the packs of another job, or other files.
        LockedError: Another process packs into `out`.
        SampleError: A sample is rejected and `config.strict` is set.
        SourceChangedError: An input changed between the two passes.
        PackRejectRateError: More than `config.max_reject_rate` were rejected; the pack set is
            whole, and the error carries the report.
    """
    config = config or PackConfig()
    encoder = encoder or config.encoder()
    files = input_files(inputs, Path(out))
    with open_run(Path(out), config, encoder, engine=engine, on_progress=on_progress) as run:
        intake = take_in(inputs, run.work.incoming, files)
        if report := run.begin(_identity(intake, config, encoder)):
            return report
        sources = _open(run, intake)
        return run.commit(sources, _choose(sources, run.measure(sources), config))


def _identity(intake: Intake, config: PackConfig, encoder: SampleEncoder) -> dict[str, Any]:
    """Returns everything that the output depends on."""
    # Where no root is given, image paths start from the folders of the files.
    root = config.data_root or intake.data_root or intake.shared
    return {
        "inputs": intake.identity,
        "data_root": None if root is None else os.path.realpath(root),
        "options": config.identity(),
        "encoder": encoder.describe(),
    }


def _open(run: PackRun, intake: Intake) -> list[Source]:
    open_file = partial(
        open_source,
        staging=run.work.staging,
        layout=intake.layout or run.config.layout,
        columns=run.config.columns,
        data_root=run.config.data_root or intake.data_root,
        ignored=run.config.ignore,
        image_suffix=run.config.image_suffix,
    )
    return list(run.engine.run(open_file, intake.files))


def _choose(sources: Sequence[Source], pass1: Pass1Result, config: PackConfig) -> Selection:
    """Takes every sample, or the first of each id."""
    measured, rejects = pass1.measured, list(pass1.rejects)
    rows, repeats = _first_of_each_id(measured)
    if config.unique_ids:
        rejects += _reject_repeats(sources, measured, repeats)
        measured = measured.take(rows)
    rejects.sort(key=_place({source.name: i for i, source in enumerate(sources)}))
    return Selection(
        measured=measured,
        origins=Origins(
            [source.name for source in sources],
            [source.layout for source in sources],
            pass1.reads,
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


def _reject_repeats(
    sources: Sequence[Source], measured: SampleTable, rows: NDArray[np.int64]
) -> Iterator[Reject]:
    reason, detail = RejectReason.DUPLICATE_ID.value, "an earlier sample has this id"
    for row, sample in reread_samples(sources, measured, rows):
        name, position = sources[int(measured.source[row])].name, int(measured.position[row])
        yield Reject(name, position, sample.id, reason, detail)


def _place(order: dict[str, int]) -> Callable[[Reject], tuple[int, int]]:
    return lambda reject: (order[reject.source], reject.position)
