"""Every kind of file that packkit writes, cut short at every byte and with bits flipped."""

import shutil

import damage
import pytest
from jobs import PACK

SET = [
    "shard-00000.jsonl",
    "shard-00000.index.arrow",
    "manifest.json",
    "rejects.jsonl",
    "encoder/encoder.json",
    "encoder/tokenizer.json",
]
FILES = ["shard-00000/pack-00000000.json", "shard-00000/packs.index.arrow"]
WORK = [
    ".work/run.json",
    ".work/measured/000000.arrow",
    ".work/shards/000000.json",
    ".work/staged/b.jsonl.gz.plain",
    "shard-00000.jsonl",
    "shard-00000.index.arrow",
]
BATCH = 100


class Damages:
    """Sets and half-finished work to damage.

    Args:
        workshop: Makes the jobs.
        server: Server whose children do the damage.
    """

    def __init__(self, workshop, server):
        self._workshop, self._server = workshop, server

    def whole(self, *options):
        """A folder with a finished set; returns its path."""
        return self._copy(self._workshop.after("whole" + "".join(options), [*PACK, *options]))

    def half(self, name):
        """A folder with a half-finished job that has a file; and the job's other folders."""
        reference = self._workshop.after("whole", PACK)
        job = self._workshop.job("pack")
        job.lay()
        calls = [call for call in job.run(self._server).result if call[2] == "change"]
        # Killed once the second shard grows: then one of each file is there.
        last = max(n for n, call in enumerate(calls) if call[:2] == ["fsync", "out/.work/shards"])
        fault = {"kind": "kill", "number": last - 2}
        template = self._workshop.after("half", PACK, fault=fault)
        assert (template / "out" / name).is_file(), name
        shutil.rmtree(self._workshop.desk, ignore_errors=True)
        shutil.copytree(template, self._workshop.desk)
        return self._workshop.desk, template, reference

    def _copy(self, template):
        shutil.rmtree(self._workshop.desk, ignore_errors=True)
        shutil.copytree(template, self._workshop.desk)
        return self._workshop.desk

    def of_set(self, desk, name, changes, kind="set"):
        """Does damage to a file of a finished set; returns what went wrong."""
        return self._in_batches(changes, kind=kind, desk=str(desk), name=name)

    def of_half(self, name, changes):
        """Does damage to a file of a half-finished job; returns what went wrong."""
        desk, template, reference = self.half(name)
        folders = {"desk": str(desk), "template": str(template), "reference": str(reference)}
        return self._in_batches(changes, kind="resume", name=f"out/{name}", words=PACK, **folders)

    def _in_batches(self, changes, **arguments):
        faults = []
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            outcome = self._server.run("damage", changes=part, **arguments)
            if outcome.code:
                faults.append(f"{damage.CRASH}: exit code {outcome.code}: {outcome.errors}")
            else:
                faults += outcome.result
        return faults


@pytest.fixture
def damages(workshop, server):
    return Damages(workshop, server)


def changes_of(path, *, trials, step):
    size = path.stat().st_size
    return damage.flips(size, trials, str(path.name)) + damage.cuts(size, step)


@pytest.mark.parametrize("name", SET)
def test_some_damage_to_a_set_is_told(damages, name):
    desk = damages.whole()
    path = desk / "out" / name
    assert damages.of_set(desk, f"out/{name}", changes_of(path, trials=12, step=1499)) == []


@pytest.mark.parametrize("name", WORK)
def test_some_damage_to_half_finished_work_is_told_or_undone(damages, name):
    desk, _, _ = damages.half(name)
    changes = changes_of(desk / "out" / name, trials=6, step=3999)
    assert damages.of_half(name, changes) == []


@pytest.mark.faults
@pytest.mark.parametrize("name", [*SET, *FILES])
def test_flips_and_cuts_of_a_set(damages, record, name):
    desk = damages.whole(*(["--storage", "files"] if name in FILES else []))
    size = (desk / "out" / name).stat().st_size
    for check, changes in (
        ("2,000 bits flipped", damage.flips(size, 2000, name)),
        ("cut at every byte", damage.cuts(size)),
    ):
        faults = damages.of_set(desk, f"out/{name}", changes)
        record(check, name, len(changes), len(faults))
        assert faults == []


@pytest.mark.faults
@pytest.mark.parametrize("name", WORK)
def test_flips_and_cuts_of_half_finished_work(damages, record, name):
    desk, _, _ = damages.half(name)
    size = (desk / "out" / name).stat().st_size
    step = 1 + size // 1000
    for check, changes in (
        ("2,000 bits flipped, then resumed", damage.flips(size, 2000, name)),
        (f"cut at every byte in {step}, then resumed", damage.cuts(size, step)),
    ):
        faults = damages.of_half(name, changes)
        record(check, name, len(changes), len(faults))
        assert faults == []


@pytest.mark.faults
def test_flips_and_cuts_of_a_lock(workshop, damages, record):
    job = workshop.job("mix")
    job.lay()
    size = (job.desk / "two.lock.json").stat().st_size
    for check, changes in (
        ("2,000 bits flipped", damage.flips(size, 2000, "lock")),
        ("cut at every byte", damage.cuts(size)),
    ):
        faults = damages.of_set(job.desk, "two.lock.json", changes, kind="lock")
        record(check, "lock of a mixture", len(changes), len(faults))
        assert faults == []
