"""A true history is proven, whatever its stops; every lie in it is found."""

from dataclasses import dataclass
from functools import partial

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from packkit.base.errors import FormatError
from packkit.base.orders import hold_out
from packkit.ledger import LedgerStart, LedgerStep, LedgerWriter, check_ledger
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
        places = {one.checkpoint for branch in self.branches for one in branch}
        return sorted({self.first, *places})

    def steps_to(self, checkpoint):
        """The steps of the last branch that led to a checkpoint."""
        for branch in reversed(self.branches):
            places = [self.first, *(one.checkpoint for one in branch)]
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
                own = taken[size * rank // world_size : size * (rank + 1) // world_size]
                noted = LedgerStep(epoch, number, position, own, masked(own))
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


@many_files
@given(st.lists(stretches(), min_size=1, max_size=6), st.data())
def test_a_true_history_is_proven(folder, packs, history, data):
    training = Training(folder(), [packs])
    make(training, history, data.draw)
    assume(any(training.folder.iterdir()))
    report = check_ledger(training.folder, [packs])
    assert report.problems == ([] if training.has_begun() else ["rank 0 noted nothing"])
    if training.is_clear:
        assert report.steps == len(training.steps)
        assert len(report.epochs) == len({one.epoch for one in training.steps})
        for found in report.epochs:
            compare(found, training)


def compare(found, training):
    """Sees that an epoch holds what training made of it."""
    own = [one for one in training.steps if one.epoch == found.epoch]
    taken = [pack for one in own for pack in one.packs]
    real = [pack for pack in taken if pack >= 0]
    is_last = found.epoch == training.steps[-1].epoch
    assert len(set(real)) == len(real)
    assert (found.steps, found.packs, found.fillers) == (len(own), len(real), taken.count(-1))
    assert found.masked == len(masked(taken))
    assert found.finished == (not is_last or own[-1].checkpoint[0] > found.epoch)
    assert found.dropped == (training.packs - len(real) if found.finished else 0)
    assert (found.repeated, found.missing) == (0, 0)


def edit(folder, rank, change):
    """Rewrites the lines of a rank by a function of their list."""
    path = folder / f"rank-{rank:05d}.jsonl"
    *whole, torn = path.read_bytes().split(b"\n")
    lines = change([orjson.loads(line) for line in whole])
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines) + torn)


def rewrite(lines, step, packs):
    """Gives a step other packs; None: takes its line out."""
    places = [(line.get("epoch"), line.get("position")) for line in lines]
    last = max(i for i, place in enumerate(places) if place == (step.epoch, step.position))
    new = [] if packs is None else [{**lines[last], "packs": packs}]
    return [*lines[:last], *new, *lines[last + 1 :]]


def own_packs(step, rank):
    size, world_size = step.start.packs_per_step, step.start.world_size
    return step.packs[size * rank // world_size : size * (rank + 1) // world_size]


def take_another(training, step, rank, draw):
    own = own_packs(step, rank)
    others = [pack for one in training.steps if one.epoch == step.epoch for pack in one.packs]
    others = sorted({pack for pack in others if pack >= 0} - {own[0]})
    assume(own[0] >= 0 and others)
    changed = [draw(st.sampled_from(others)), *own[1:]]
    edit(training.folder, rank, lambda lines: rewrite(lines, step, changed))


def take_a_stranger(training, step, rank, draw):
    changed = [PACKS + draw(st.integers(0, 9)), *own_packs(step, rank)[1:]]
    edit(training.folder, rank, lambda lines: rewrite(lines, step, changed))


def leave_a_pack_out(training, step, rank, draw):
    edit(training.folder, rank, lambda lines: rewrite(lines, step, own_packs(step, rank)[1:]))


def take_a_filler(training, step, rank, draw):
    own = own_packs(step, rank)
    assume(own[0] >= 0)
    edit(training.folder, rank, lambda lines: rewrite(lines, step, [-1, *own[1:]]))


def leave_a_step_out(training, step, rank, draw):
    assume(step is not training.steps[-1])
    following = training.steps[training.steps.index(step) + 1].start
    # A run that drops the rest of an epoch could have gone on from before the step.
    assume(following == step.start or following.tail == "fill")
    # Without its only step, a first run seems to have been killed before it.
    assume(step is not training.steps[0] or following == step.start)
    edit(training.folder, rank, lambda lines: rewrite(lines, step, None))


def leave_a_step_out_everywhere(training, step, rank, draw):
    for each in range(step.start.world_size):
        leave_a_step_out(training, step, each, draw)


def leave_a_start_out(training, step, rank, draw):
    assume(sum(one.start == step.start for one in training.steps) > 1)
    # Of a rank alone, two runs with the same options can be one.
    assume(step.start.world_size > 1)
    line = {"start": step.start._asdict()}
    edit(training.folder, rank, lambda lines: [one for one in lines if one != line])


def lose_a_file(training, step, rank, draw):
    assume(sum(one.start == step.start for one in training.steps) > 1)
    (training.folder / f"rank-{rank:05d}.jsonl").unlink()
    assume(any(training.folder.iterdir()))


LIES = [
    take_another,
    take_a_stranger,
    leave_a_pack_out,
    take_a_filler,
    leave_a_step_out,
    leave_a_step_out_everywhere,
    leave_a_start_out,
    lose_a_file,
]


@pytest.mark.parametrize("lie", LIES)
@many_files
@given(st.lists(stretches(resumes=["last"]), min_size=1, max_size=4), st.data())
def test_a_lie_is_found(folder, packs, lie, history, data):
    training = Training(folder(), [packs])
    make(training, history, data.draw)
    assume(training.steps)
    step = data.draw(st.sampled_from(training.steps))
    rank = data.draw(st.integers(0, step.start.world_size - 1))
    lie(training, step, rank, data.draw)
    try:
        assert check_ledger(training.folder, [packs]).problems
    except FormatError as error:
        # Steps without their start.
        assert lie is leave_a_start_out
        assert "follows no other" in str(error)


def test_training_may_go_back_and_then_on_from_what_it_left(tmp_path, packs):
    training = Training(tmp_path, [packs])
    training.run(2, 2, steps=5)
    # Tried from an earlier checkpoint, with other options, and given up.
    training.run(3, 4, steps=2, cursor=(0, 2))
    assert check_ledger(tmp_path, [packs]).epochs[0].packs == 10
    assert training.steps_to((0, 8))[-1].start.packs_per_step == 2
    training.run(2, 3, steps=2, cursor=(0, 8))
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert (report.runs, report.steps, report.epochs[0].packs) == (2, 6, PACKS)


def test_a_run_killed_before_all_ranks_noted_its_first_step_takes_nothing_back(tmp_path, packs):
    training = Training(tmp_path, [packs])
    training.run(2, 4, steps=3)
    for rank in (0, 1):
        training.run(2, 2 + rank, steps=0, cursor=(0, 4), last=[rank])
        report = check_ledger(tmp_path, [packs])
        assert report.problems == []
        assert (report.runs, report.steps) == (1, 3)


def test_a_run_may_start_in_the_same_place_again(tmp_path, packs):
    training = Training(tmp_path, [packs])
    training.run(2, 2, steps=4)
    training.run(2, 2, steps=0, cursor=(0, 0), last=[1])
    training.run(2, 3, steps=1, cursor=(0, 8))
    report = check_ledger(tmp_path, [packs])
    assert (report.problems, report.steps, report.open_steps) == ([], 5, 0)
    training.run(2, 2, steps=1, cursor=(0, 0))
    report = check_ledger(tmp_path, [packs])
    assert (report.problems, report.steps, report.open_steps) == ([], 1, 0)


def test_steps_that_not_all_ranks_reached_are_counted_and_left_out(tmp_path, packs):
    Training(tmp_path, [packs]).run(3, 3, steps=2, last=[0, 2])
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert (report.steps, report.open_steps, report.epochs[0].packs) == (2, 1, 6)


def test_a_rank_that_is_a_second_step_behind_at_the_start_is_missed(tmp_path, packs):
    Training(tmp_path, [packs]).run(2, 4, steps=2)
    edit(tmp_path, 1, lambda lines: lines[:1])
    problems = check_ledger(tmp_path, [packs]).problems
    assert problems == [
        "run from epoch 0 position 0: rank 1 has no step at epoch 0 position 0",
    ]


@pytest.mark.parametrize(
    ("rank", "change", "problem"),
    [
        (0, lambda step: [0, 0], "epoch 0: 1 packs taken more than once, 2 not at all"),
        (1, lambda step: [2, 99], "packs that it does not go through"),
        (1, lambda step: [-1, -1], "epoch 0 position 4: 2 packs and 2 fillers, must be 4 and 0"),
        (1, lambda step: [2], "epoch 0 position 4: 3 packs and 0 fillers, must be 4 and 0"),
        (1, lambda step: None, "rank 1 has no step at epoch 0 position 4"),
    ],
)
def test_a_problem_says_where_it_is(tmp_path, packs, rank, change, problem):
    training = Training(tmp_path, [packs])
    training.run(2, 4, steps=5)
    step = training.steps[1]
    edit(tmp_path, rank, lambda lines: rewrite(lines, step, change(step)))
    problems = check_ledger(tmp_path, [packs]).problems
    assert any(problem in line for line in problems), problems


def test_a_step_that_all_ranks_left_out_is_found(tmp_path, packs):
    training = Training(tmp_path, [packs])
    training.run(2, 4, steps=5)
    for rank in (0, 1):
        edit(tmp_path, rank, lambda lines: rewrite(lines, training.steps[1], None))
    problems = check_ledger(tmp_path, [packs]).problems
    assert "after epoch 0 position 4 comes epoch 0 position 8" in problems


def test_runs_that_only_some_ranks_started_are_named(tmp_path, packs):
    training = Training(tmp_path, [packs])
    training.run(2, 4, steps=2)
    training.run(3, 3, steps=2)
    edit(tmp_path, 2, lambda lines: [])
    problems = check_ledger(tmp_path, [packs]).problems
    assert "run from epoch 0 position 8: rank 2 did not start it" in problems
    edit(tmp_path, 0, lambda lines: lines[:3])
    problems = check_ledger(tmp_path, [packs]).problems
    assert "run from epoch 0 position 8: rank 1 made it, rank 0 did not start it" in problems


def test_a_ledger_that_begins_inside_an_epoch_proves_nothing(tmp_path, packs):
    Training(tmp_path, [packs], first=(0, 4)).run(1, 4, steps=3)
    problems = check_ledger(tmp_path, [packs]).problems
    assert "the ledger begins inside epoch 0, at position 4" in problems


def test_other_packs_are_found(tmp_path, packs, other_packs):
    Training(tmp_path, [packs]).run(1, 4, steps=4)
    problems = check_ledger(tmp_path, [other_packs]).problems
    assert any("made with packs of contents" in line for line in problems)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_is_proven_by_its_own_packs(tmp_path, packs, split):
    members = hold_out(PACKS, 0.4, split).tolist()
    assert 0 < len(members) < PACKS
    training = Training(tmp_path, [packs], members, split=split, validation_fraction=0.4)
    training.run(2, 4, steps=-(-len(members) // 4))
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    compare(report.epochs[0], training)
    (stranger, *_) = set(range(PACKS)) - set(members)
    step = training.steps[0]
    edit(tmp_path, 0, lambda lines: rewrite(lines, step, [stranger, step.packs[1]]))
    problems = check_ledger(tmp_path, [packs]).problems
    assert "epoch 0: 1 packs that it does not go through" in problems


TAKEN = [5, 4]
SHARES = {"packs_of_set": TAKEN, "has_shares": True}


def by_shares(epoch):
    """Five packs of thirteen and four of six, each set gone through pass after pass, in turn."""
    drawn = []
    for first, size, count in ((0, PACKS, TAKEN[0]), (PACKS, OTHER, TAKEN[1])):
        draws = [divmod(epoch * count + i, size) for i in range(count)]
        drawn.append([first + (5 * place + number) % size for number, place in draws])
    ours, theirs = drawn
    return [ours[0], *(pack for pair in zip(ours[1:], theirs, strict=True) for pack in pair)]


@many_files
@given(st.lists(stretches(), min_size=1, max_size=6), st.integers(0, 3), st.data())
def test_shares_are_proven_from_any_epoch(folder, packs, other_packs, history, first, data):
    sets = [packs, other_packs]
    training = Training(folder(), sets, None, by_shares, (first, 0), **SHARES)
    make(training, history, data.draw)
    assume(any(training.folder.iterdir()))
    problems = check_ledger(training.folder, sets).problems
    assert problems == ([] if training.has_begun() else ["rank 0 noted nothing"])


@pytest.mark.parametrize(
    ("packs_taken", "problem"),
    [
        ([0, 13, 1, 14, 2, 15, 3, 16, 4], "epoch 3: packs of set 0 were passed over"),
        ([0, 13, 5, 14, 10, 15, 2, 16, 17], "epoch 3: 5 packs of set 1 taken, its share is 4"),
    ],
)
def test_packs_out_of_turn_are_found(tmp_path, packs, other_packs, packs_taken, problem):
    sets = [packs, other_packs]
    training = Training(tmp_path, sets, None, by_shares, **SHARES)
    training.run(1, 9, steps=4)
    assert check_ledger(tmp_path, sets).problems == []
    edit(tmp_path, 0, lambda lines: rewrite(lines, training.steps[3], packs_taken))
    problems = check_ledger(tmp_path, sets).problems
    assert any(problem in line for line in problems), problems
