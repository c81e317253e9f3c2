"""A job under a fault at one call after another; whatever does not hold is told, not raised."""

import errno
from dataclasses import dataclass, field

from checks import bystanders, check_end, check_refusal, differences, state_of

# What removes leftovers, or makes a folder that is there already, may fail and the job be done.
_DISPENSABLE = frozenset({"unlink", "remove", "rmdir", "mkdir"})


@dataclass
class Sweep:
    """What came out.

    Attributes:
        trials: Number of faults tried.
        guilty: One line for each trial after which something did not hold.
        states: How often each state was met after the fault.
    """

    trials: int = 0
    guilty: list[str] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)


def kills(job, server, *, every=1, first=0):
    """Kills the job before its calls, and in the middle of its writes; then starts it again.

    Args:
        job: Job to kill.
        server: Server that runs it.
        every: Only each of so many kills is made.
        first: Number of the first kill made.
    """
    calls = _changes(job.measure(server))
    faults = [
        {"kind": kind, "number": number}
        for number, (name, _) in enumerate(calls)
        for kind in (("kill", "tear") if "write" in name else ("kill",))
    ]
    sweep = Sweep()
    for fault in faults[first::every]:
        place = " ".join((fault["kind"], *calls[fault["number"]], str(fault["number"])))
        with _told(sweep, place):
            outcome, neighbours = _disturbed(job, server, fault)
            assert outcome.code == -9, f"was not killed: {outcome.code} {outcome.errors}"
            _check_after(job, server, neighbours, sweep)
    return sweep


def errors(job, server, *, every=1, first=0, group="change"):
    """Lets one call after another fail once, for want of space and with a broken disk in turn.

    Args:
        job: Job to disturb.
        server: Server that runs it.
        every: Only each of so many errors is made.
        first: Number of the first error made.
        group: ``change`` or ``read``, the calls that fail.
    """
    calls = _changes(job.measure(server), group)
    sweep = Sweep()
    for number in range(first, len(calls), every):
        name, path = calls[number]
        is_full = group == "change" and number // every % 2 == 0
        code = errno.ENOSPC if is_full else errno.EIO
        fault = {"kind": "fail", "number": number, "group": group, "errno": code}
        with _told(sweep, f"{errno.errorcode[code]} {name} {path} {number}"):
            outcome, neighbours = _disturbed(job, server, fault)
            if outcome.code != 0 or name not in _DISPENSABLE:
                check_refusal(job, outcome, path)
            _check_after(job, server, neighbours, sweep)
    return sweep


def short_transfers(job, server, group):
    """Lets every read or write move half of the bytes that it was asked to.

    Whoever writes must go on with the rest. Whoever reads may also refuse, but never take a part
    for the whole.
    """
    job.measure(server)
    sweep = Sweep()
    with _told(sweep, f"short {group}s"):
        outcome, neighbours = _disturbed(
            job, server, {"kind": "short", "number": -1, "group": group}
        )
        if group == "change" or outcome.code == 0:
            check_end(job, outcome)
        _check_after(job, server, neighbours, sweep)
    return sweep


def _changes(calls, group="change"):
    return [(name, path) for name, path, kind in calls if kind == group]


def _disturbed(job, server, fault):
    job.lay()
    neighbours = bystanders(job)
    return job.run(server, fault), neighbours


def _check_after(job, server, neighbours, sweep):
    state = state_of(job)
    sweep.states[state] = sweep.states.get(state, 0) + 1
    _check_untouched(job, neighbours)
    check_end(job, job.run(server))
    job.prove(server)
    _check_untouched(job, neighbours)


def _check_untouched(job, neighbours):
    changes = differences(bystanders(job), neighbours)
    assert not changes, f"files were touched that are none of the job's: {changes}"


class _told:
    """Counts a trial and notes it as guilty where a check fails."""

    def __init__(self, sweep, place):
        self._sweep, self._place = sweep, place

    def __enter__(self):
        self._sweep.trials += 1

    def __exit__(self, kind, error, trace):
        if kind is not None and issubclass(kind, AssertionError):
            self._sweep.guilty.append(f"{self._place}: {error}")
            return True
        return False
