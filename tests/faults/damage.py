"""Bytes of finished and half-finished work changed: does packkit tell, or do the work again?

All of it runs in a child of the server, a hundred changes at a time, so that a crash of the process
is the answer to a few of them and not the end of the test.
"""

import random
import shutil
from pathlib import Path

from packkit.base.errors import PackkitError

SILENT, CRASH = "silent", "crash"


def flips(size, trials, seed):
    """Returns the changes of `trials` single bits, as places of bits."""
    draws = random.Random(seed)
    return [draws.randrange(8 * size) for _ in range(trials)]


def cuts(size, step=1):
    """Returns the changes that cut a file short, as negative lengths less one."""
    return [-1 - length for length in range(0, size, step)]


def changed(data, change):
    """Returns the bytes after a change."""
    if change < 0:
        return data[: -1 - change]
    damaged = bytearray(data)
    damaged[change // 8] ^= 1 << change % 8
    return bytes(damaged)


def damaged_files(path, changes, check):
    """Changes a file in one way after another; returns what went wrong, one line each.

    Args:
        path: File to change; it is put back in the end.
        changes: What `flips` and `cuts` return.
        check: Called after each change; whether the change was told, or undone.
    """
    path, faults = Path(path), []
    data = path.read_bytes()
    for change in changes:
        path.write_bytes(changed(data, change))
        try:
            if not check():
                faults.append(f"{SILENT} {change}")
        except (PackkitError, OSError):
            pass
        except Exception as error:
            faults.append(f"{CRASH} {change}: {error!r}")
        if path.parent.exists():
            path.write_bytes(data)
    return faults


def verified(folder):
    """Whether verification finds a problem in a set."""
    from packkit.shards import verify_packs

    return bool(verify_packs(folder, deep=True).problems)


def read_lock(path):
    """Never returns true: a lock that reads well is not known to be damaged."""
    from packkit.mixture import Lock

    Lock.read(path)
    return False


def checked_ledger(desk):
    """Whether the check of a ledger finds a problem."""
    from packkit import check_ledger

    return bool(check_ledger(desk / "run" / "ledger", [desk / "out"]).problems)


class Checkpoint:
    """Loads a checkpoint in every way that packkit does.

    Args:
        desk: Folder with a recipe and its run.
    """

    def __init__(self, desk):
        from packkit.training.checkpoints import newest_checkpoint
        from packkit.training.parallel import start_ranks
        from packkit.training.recipe import read_recipe
        from packkit.training.trainer import Trainer

        # Open for as long as this process lives: loading asks all ranks.
        self._ranks = start_ranks("cpu")
        self._trainer = Trainer(read_recipe(desk / "recipe.toml"), self._ranks.__enter__())
        self._path = newest_checkpoint(desk / "run" / "checkpoints")

    def check(self):
        """Never returns true: what loads without an error is not known to be damaged."""
        from packkit.encoding import SampleEncoder
        from packkit.training.checkpoints import read_weights

        self._trainer.resume(self._path)
        read_weights(self._path)
        return self._trainer.encoder.differences(
            SampleEncoder.load(self._path / "encoder").describe()
        )


class Resumed:
    """Goes on with a half-finished job, and compares what it makes.

    Args:
        job: Words of the command.
        template: Folder with the half-finished job.
        desk: Folder in which it goes on.
        reference: Files of the set, by name, as a run makes them that nothing disturbed.
    """

    def __init__(self, words, template, desk, reference):
        self._words, self._template, self._desk = words, template, desk
        self._reference = reference

    def lay(self):
        """Puts the result back to half-finished."""
        shutil.rmtree(self._desk / "out", ignore_errors=True)
        shutil.copytree(self._template / "out", self._desk / "out")

    def check(self):
        """Whether the command refuses, or ends with the reference's bytes."""
        from tasks import command

        code = command(self._words, self._desk)["code"]
        return code != 0 or self._content() == self._reference

    def _content(self):
        out = self._desk / "out"
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and path.name != "run.json"
        }


def damaged_resumes(resumed, desk, name, changes):
    """Like `damaged_files`, for a file of a half-finished job, which each trial uses up."""
    faults = []
    for change in changes:
        resumed.lay()
        faults += damaged_files(desk / name, [change], resumed.check)
    resumed.lay()
    return faults
