"""A training that is killed or meets a full disk: every checkpoint is whole, and it goes on."""

import damage
import pytest
from checks import files_of
from fork_server import ForkServer
from jobs import Workshop
from sweep import errors, kills


@pytest.fixture(scope="module")
def training(tmp_path_factory, tiny_tokenizer):
    """The job, and a server that has torch and transformers loaded."""
    server = ForkServer("packkit.training.trainer", "matplotlib.pyplot")
    workshop = Workshop(server, tmp_path_factory.mktemp("training"), tiny_tokenizer)
    job = workshop.training()
    job.lay()
    server.warm("command", words=job.words, folder=str(job.desk))
    yield job, server
    server.close()


@pytest.mark.faults
def test_killed_at_every_call(training, record):
    sweep = kills(*training)
    record("killed at every call, and in every write", "train", sweep.trials, len(sweep.guilty))
    assert sweep.guilty == []


@pytest.mark.faults
@pytest.mark.parametrize("group", ["change", "read"])
def test_an_error_at_every_call(training, record, group):
    sweep = errors(*training, group=group)
    kind = "EIO at every read" if group == "read" else "ENOSPC, EIO at every change"
    record(kind, "train", sweep.trials, len(sweep.guilty))
    assert sweep.guilty == []


def _trained(job, server):
    """The desk after the training."""
    job.lay()
    assert job.run(server).code == 0
    return job.desk


def _damages(server, desk, name, changes, kind):
    faults = []
    for start in range(0, len(changes), 100):
        part = changes[start : start + 100]
        outcome = server.run("damage", kind=kind, desk=str(desk), name=name, changes=part)
        faults += outcome.result if outcome.code == 0 else [outcome.errors]
    return faults


@pytest.mark.faults
def test_flips_and_cuts_of_a_checkpoint(training, record):
    job, server = training
    desk = _trained(job, server)
    folder = max((desk / "run" / "checkpoints").glob("step-*"))
    guilty = []
    for name, data in list(files_of(folder)):
        step = 1 + len(data) // 500
        for check, changes in (
            ("2,000 bits flipped", damage.flips(len(data), 2000, name)),
            (f"cut at every byte in {step}", damage.cuts(len(data), step)),
        ):
            path = (folder / name).relative_to(desk).as_posix()
            faults = _damages(server, desk, path, changes, "checkpoint")
            record(check, f"checkpoint: {name}", len(changes), len(faults))
            guilty += [f"{name}: {fault}" for fault in faults]
    assert guilty == []


@pytest.mark.faults
def test_flips_of_a_ledger(training, record):
    job, server = training
    desk = _trained(job, server)
    name = "run/ledger/rank-00000.jsonl"
    changes = damage.flips((desk / name).stat().st_size, 2000, name)
    faults = _damages(server, desk, name, changes, "ledger")
    record("2,000 bits flipped", "ledger", len(changes), len(faults))
    assert faults == []
