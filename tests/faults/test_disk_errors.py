"""A full or broken disk: one line that names the file; the next run ends with the same bytes."""

import pytest
from sweep import errors, short_transfers
from test_kills import JOBS


@pytest.mark.parametrize("group", ["change", "read"])
@pytest.mark.parametrize("name", ["pack", "pack-overwrite"])
def test_an_error_at_some_calls(workshop, server, name, group):
    sweep = errors(workshop.job(name), server, every=17, first=2, group=group)
    assert sweep.guilty == []
    assert sweep.trials > 1


@pytest.mark.faults
@pytest.mark.parametrize("group", ["change", "read"])
@pytest.mark.parametrize("name", JOBS)
def test_an_error_at_every_call(workshop, server, record, name, group):
    sweep = errors(workshop.job(name), server, group=group)
    kind = "EIO at every read" if group == "read" else "ENOSPC, EIO at every change"
    record(kind, name, sweep.trials, len(sweep.guilty))
    assert sweep.guilty == []


@pytest.mark.parametrize("group", ["change", "read"])
@pytest.mark.parametrize("name", ["pack", "index"])
def test_short_reads_and_writes(workshop, server, name, group):
    assert short_transfers(workshop.job(name), server, group).guilty == []


@pytest.mark.faults
@pytest.mark.parametrize("group", ["change", "read"])
@pytest.mark.parametrize("name", JOBS)
def test_short_reads_and_writes_everywhere(workshop, server, record, name, group):
    sweep = short_transfers(workshop.job(name), server, group)
    kind = "every read short" if group == "read" else "every write short"
    record(kind, name, sweep.trials, len(sweep.guilty))
    assert sweep.guilty == []
