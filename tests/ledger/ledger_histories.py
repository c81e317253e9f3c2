"""Histories of training as ledgers note them, made up, and changed."""

from dataclasses import dataclass
from functools import partial

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from packkit.base.append_log import log_line
from packkit.ledger import LedgerStart, LedgerStep, LedgerWriter
from packkit.samples import Pack, Sample
from packkit.shards import PackReader, PackWriter

PACKS = 13
OTHER = 6

# A ledger is many small writes; one example takes up to a tenth of a second.
many_files = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def write_set(out, packs, text="Text"):
    with PackWriter(out, shard_size=300) as writer:
        for number in range(packs):
            writer.write(Pack((Sample(content=(f"{text} {number}.",)),), (9,)))
    return out


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """A set of thirteen packs of text."""
    return write_set(tmp_path_factory.mktemp("ledger") / "packs", PACKS)


@pytest.fixture(scope="module")
def other_packs(tmp_path_factory):
    """A set of six other packs."""
    return write_set(tmp_path_factory.mktemp("ledger") / "other", OTHER, "Other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes a new folder."""
    return partial(tmp_path_factory.mktemp, "ledger")


@dataclass(frozen=True)
class Made:
    """A step that all ranks made, and where training stood after it."""

    start: LedgerStart
    epoch: int
    position: int
    packs: list
    checkpoint: tuple


class Training:
    """A naive trainer: goes through an order place by place, and notes it as the loader does.

    `branches` holds the steps that led to each end that training ever came to.
    """

    def __init__(self, folder, sets, members=None, order=None, first=(0, 0), **options):
        self.folder = folder
        self.first = first
        self.members = list(range(PACKS)) if members is None else members
        self.order = self.shuffled if order is None else order
        contents = []
        for path in sets:
            with PackReader(path) as reader:
                contents.append(reader.content_hash)
        options = {"packs_of_set": [len(self.members)], "has_shares": False, **options}
        self.options = {"split": "train", "validation_fraction": 0.0, **options}
        self.options["contents"] = contents
        self.packs = sum(options["packs_of_set"])
        self.branches = [[]]
        self.starts = []
        self.is_clear = True

    @property
    def steps(self):
        return self.branches[-1]

    def has_begun(self):
        path = self.folder / "rank-00000.jsonl"
        return path.exists() and b"\n" in path.read_bytes()

    def shuffled(self, epoch):
        return [self.members[(7 * i + epoch) % len(self.members)] for i in range(len(self.members))]

    def roll(self, cursor, size, tail):
        """Goes to the next epoch where this one has no step left."""
        left = self.packs - cursor[1]
        has_step = left > 0 if tail == "fill" else left >= size
        return cursor if has_step else (cursor[0] + 1, 0)

    def checkpoints(self):
        """Every place that training ever stood in."""
        places = {step.checkpoint for branch in self.branches for step in branch}
        return sorted({self.first, *places})

    def steps_to(self, checkpoint):
        """The steps of the last branch that led to a checkpoint."""
        for branch in reversed(self.branches):
            places = [self.first, *(step.checkpoint for step in branch)]
            if checkpoint in places:
                return branch[: places.index(checkpoint)]

    def run(self, world_size, size, steps, tail="fill", cursor=None, last=(), torn=0):
        """Makes steps on all ranks from a checkpoint, by default the last.

        The ranks in `last` note one more before the kill, which tears the last bytes off.
        """
        cursor = cursor or (self.steps[-1].checkpoint if self.steps else self.first)
        branch = self.steps_to(cursor)
        start = LedgerStart(*cursor, world_size, size, tail, **self.options)
        writers = [LedgerWriter(self.folder, rank) for rank in range(world_size)]
        for number in range(steps + bool(last)):
            epoch, position = self.roll(cursor, size, tail)
            order = self.order(epoch)[position : position + size]
            taken = [*order, *[-1] * (size - len(order))]
            cursor = self.roll((epoch, position + len(order)), size, tail)
            for rank in range(world_size) if number < steps else last:
                packs_of_rank = taken[size * rank // world_size : size * (rank + 1) // world_size]
                noted = LedgerStep(epoch, number, position, packs_of_rank, masked(packs_of_rank))
                writers[rank].write(start, noted, cursor)
            if number < steps:
                branch = [*branch, Made(start, epoch, position, taken, cursor)]
        for rank in last:
            data = writers[rank].path.read_bytes()
            writers[rank].path.write_bytes(data[: len(data) - torn])
        if steps:
            self.branches.append(branch)
        elif start in self.starts:
            # That this was another run than the one before, which began in the same way, is noted
            # by some ranks alone.
            self.is_clear = False
        self.starts.append(start)


def masked(packs):
    return [f"pack {pack}" for pack in packs if pack % 5 == 1]


@st.composite
def stretches(draw, tails=("fill", "drop"), resumes=("last", "any")):
    """Options of one run."""
    world_size = draw(st.integers(1, 4))
    last = draw(st.sets(st.integers(0, world_size - 1), max_size=world_size - 1))
    return {
        "world_size": world_size,
        "size": world_size + draw(st.integers(0, 4)),
        # None: it is killed before all ranks note the first.
        "steps": draw(st.integers(0, 7)),
        "tail": draw(st.sampled_from(tails)),
        "last": sorted(last),
        "torn": draw(st.integers(0, 20)) if last else 0,
        "resume": draw(st.sampled_from(resumes)),
    }


def make(training, history, draw):
    for stretch in history:
        options = dict(stretch)
        if options.pop("resume") == "any":
            options["cursor"] = draw(st.sampled_from(training.checkpoints()))
        training.run(**options)


def compare(report, training):
    """Sees that an epoch holds what training made of it."""
    steps = [step for step in training.steps if step.epoch == report.epoch]
    taken = [pack for step in steps for pack in step.packs]
    real = [pack for pack in taken if pack >= 0]
    is_last = report.epoch == training.steps[-1].epoch
    assert len(set(real)) == len(real)
    assert (report.steps, report.packs, report.fillers) == (len(steps), len(real), taken.count(-1))
    assert report.masked == len(masked(taken))
    assert report.finished == (not is_last or steps[-1].checkpoint[0] > report.epoch)
    assert report.dropped == (training.packs - len(real) if report.finished else 0)
    assert (report.repeated, report.missing) == (0, 0)


def edit(folder, rank, change):
    """Rewrites the lines of a rank by a function of their list."""
    path = folder / f"rank-{rank:05d}.jsonl"
    *whole, torn = path.read_bytes().split(b"\n")
    lines = change([_unsealed(line) for line in whole])
    path.write_bytes(b"".join(map(log_line, lines)) + torn)


def _unsealed(line):
    record = orjson.loads(line)
    del record["checksum"]
    return record


def rewrite(lines, step, packs):
    """Gives a step other packs; None: takes its line out."""
    places = [(line.get("epoch"), line.get("position")) for line in lines]
    last = max(i for i, place in enumerate(places) if place == (step.epoch, step.position))
    new = [] if packs is None else [{**lines[last], "packs": packs}]
    return [*lines[:last], *new, *lines[last + 1 :]]


def own_packs(step, rank):
    size, world_size = step.start.packs_per_step, step.start.world_size
    return step.packs[size * rank // world_size : size * (rank + 1) // world_size]
