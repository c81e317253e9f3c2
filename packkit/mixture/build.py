"""From a lock to a pack set."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from packkit.base.engine import Engine, Progress
from packkit.base.errors import FingerprintError, SourceChangedError
from packkit.encoding import SampleEncoder
from packkit.mixture.choice import Survey, locate_mixture, survey_mixture
from packkit.mixture.lock import Lock, LockedSource
from packkit.packing import PackReport
from packkit.packing.run import open_run
from packkit.packing.selection import Origins, Selection


def build_mixture(
    lock: Lock,
    out: str | Path,
    *,
    data: str | Path,
    encoder: SampleEncoder | None = None,
    engine: Engine | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> PackReport:
    """Packs exactly the samples that a lock states.

    In the pack set a sample's origin is its source in the mixture and its number among the samples
    taken of that source, so that a sample taken twice counts as two. Records that are not legal
    samples are in the lock, not in the set: all of its samples are packed. Where an earlier run has
    done that already, no data are read again.

    Args:
        lock: Lock of the mixture to pack.
        out: Folder of the pack set.
        data: Folder that the lock's paths are relative to.
        encoder: Encoder that decides the lengths; by default the one that the lock states.
        engine: Engine that runs the tasks; by default threads of this process.
        workers: Number of threads; by default one for each processor.
        overwrite: Whether a pack set in the output folder is replaced.
        on_progress: Called with the progress of the run.

    Raises:
        InputError: A file of the mixture is missing.
        FingerprintError: The encoder is not the one that the lock was made with.
        SourceChangedError: The data are not those that the lock was made from.
        OutputExistsError: `out` already holds the packs of another job, or other files.
        LockedError: Another process packs into `out`.
    """
    config = lock.mixture.pack_config(workers=workers, overwrite=overwrite)
    encoder = encoder or lock.mixture.encoder()
    if differences := encoder.differences(lock.encoder):
        raise FingerprintError("not the encoder that the lock was made with", differences)
    located = locate_mixture(lock.mixture, Path(data), Path(out))
    with open_run(Path(out), config, encoder, engine=engine, on_progress=on_progress) as run:
        if report := run.begin({**located.identity(encoder), "lock_sha256": _sha256(lock)}):
            return report
        survey = survey_mixture(run, located)
        for choice, locked in zip(survey.choices, lock.sources, strict=True):
            _check_unchanged(choice.locked, locked)
        return run.commit(survey.sources, _chosen(survey, lock))


def _check_unchanged(surveyed: LockedSource, locked: LockedSource) -> None:
    for name in LockedSource.__slots__:
        value, expected = getattr(surveyed, name), getattr(locked, name)
        if value != expected:
            raise SourceChangedError(
                f"source {locked.name}", f"{name} is {value}, the lock says {expected}"
            )


def _chosen(survey: Survey, lock: Lock) -> Selection:
    counts = [len(choice.rows) for choice in survey.choices]
    return Selection(
        measured=survey.pass1.measured.take(
            np.concatenate([choice.rows for choice in survey.choices]),
            np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            np.concatenate([np.arange(count) for count in counts]),
        ),
        origins=Origins(
            [source.name for source in lock.sources],
            [", ".join(sorted(set(source.layouts))) for source in lock.sources],
            counts,
        ),
        options={"mixture": lock.mixture.name, "lock_sha256": _sha256(lock)},
    )


def _sha256(lock: Lock) -> str:
    return hashlib.sha256(lock.to_json()).hexdigest()
