"""Makes the lock of a mixture."""

from __future__ import annotations

from pathlib import Path

from packkit.base.engine import Engine, Progress
from packkit.base.errors import RejectRateError
from packkit.base.files import write_atomically
from packkit.encoding import SampleEncoder
from packkit.mixture.choice import locate_mixture, survey_mixture
from packkit.mixture.lock import Lock, LockedSource
from packkit.mixture.recipe import Mixture
from packkit.packing.run import open_run
from packkit.packing.span import reject_lines


def resolve_mixture(
    mixture: Mixture,
    lock_path: str | Path,
    *,
    data: str | Path,
    encoder: SampleEncoder | None = None,
    engine: Engine | None = None,
    on_progress: Progress | None = None,
) -> Lock:
    """Examines every sample of a mixture, chooses, and writes the lock.

    Beside the lock, ``NAME.rejects.jsonl`` lists every record that is no legal sample. A run that
    was killed goes on where it stopped; until then its state is in the folder ``NAME.work``.

    Args:
        mixture: Mixture to resolve.
        lock_path: Path of the lock to write.
        data: Folder that the mixture's paths are relative to.
        encoder: Encoder that decides the lengths; by default the one that the mixture names.
        engine: Engine that runs the tasks; by default threads of this process.
        on_progress: Called with the progress of the run.

    Returns:
        Lock that was written.

    Raises:
        InputError: A path names nothing, a source is named twice or has less than is asked of it.
        RejectRateError: Too many records of a source are not legal; the lock is written.
    """
    lock_path, data = Path(lock_path), Path(data)
    config = mixture.pack_config()
    encoder = encoder or mixture.encoder()
    folder = lock_path.with_name(lock_path.name + ".work")
    with open_run(folder, config, encoder, engine=engine, on_progress=on_progress) as run:
        located = locate_mixture(mixture, data)
        run.work.begin(located.identity(encoder), overwrite=True)
        survey = survey_mixture(run, located)
        lock = Lock(
            mixture=mixture,
            encoder=encoder.describe(),
            sources=[choice.locked for choice in survey.choices],
        )
        rejects = lock_path.with_name(lock_path.name + ".rejects.jsonl")
        write_atomically(rejects, reject_lines(survey.pass1.rejects))
        lock.write(lock_path)
        run.work.remove()
    folder.rmdir()
    for source, locked in zip(mixture.sources, lock.sources, strict=True):
        _check_reject_rate(locked, source.max_reject_rate, rejects)
    return lock


def _check_reject_rate(locked: LockedSource, limit: float, place: Path) -> None:
    rejected = locked.read - locked.available
    if rejected > limit * locked.read:
        rule = f"max_reject_rate of source {locked.name},"
        raise RejectRateError(rejected, locked.read, limit, place, rule=rule)
