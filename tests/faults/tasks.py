"""What children of the server do: commands of packkit with a fault on the way."""

import os
import sys
from pathlib import Path

import injector
from checks import files_of

from packkit.cli.main import main


def command(words, folder, fault=None):
    """Runs the command line in a folder; returns its exit code and the calls on files below."""
    os.chdir(folder)
    # On one core a run has one thread, and makes its calls in the same order each time.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.argv = ["packkit", *words]
    calls = injector.arm(folder, injector.Fault(**fault) if fault else None)
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        injector.disarm()
    return {"code": code, "calls": [[call.name, call.path, call.group] for call in calls]}


def naive(folder, fault=None):
    """Runs a writer that knows nothing of crashes."""
    import naive_writer

    calls = injector.arm(folder, injector.Fault(**fault) if fault else None)
    naive_writer.write(Path(folder))
    injector.disarm()
    return {"code": 0, "calls": [[call.name, call.path, call.group] for call in calls]}


def damage(kind, desk, name, changes, words=(), template=None, reference=None):
    """Changes a file of a desk in one way after another; returns what went wrong."""
    import damage as damages

    desk = Path(desk)
    path = desk / name
    os.chdir(desk)
    if kind == "resume":
        whole = dict(files_of(Path(reference) / "out"))
        whole.pop("run.json")
        resumed = damages.Resumed(list(words), Path(template), desk, whole)
        return damages.damaged_resumes(resumed, desk, name, changes)
    checks = {
        "set": lambda: damages.verified(desk / "out"),
        "lock": lambda: damages.read_lock(path),
        "ledger": lambda: damages.checked_ledger(desk),
    }
    check = damages.Checkpoint(desk).check if kind == "checkpoint" else checks[kind]
    assert not check(), f"{name}: a problem is told where there is none"
    return damages.damaged_files(path, changes, check)
