"""A true history is proven, whatever its stops; every lie in it is found."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.ledger import LedgerStart, LedgerStep, LedgerWriter, check_ledger
from packkit.orders import hold_out
from packkit.schema import Pack, Sample
from packkit.shards import PackReader, PackWriter

PACKS = 13


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """A set of thirteen packs of text."""
    out = tmp_path_factory.mktemp("ledger") / "packs"
    with PackWriter(out, shard_size=300) as writer:
        for number in range(PACKS):
            writer.write(Pack((Sample(content=(f"Text {number}.",)),), (9,)))
    return out


class Training:
    """A naive trainer: goes through an order, rank by rank, and notes it as the loader does."""

    def __init__(self, folder, packs, members=range(PACKS), **options):
        self.folder = folder
        self.members = list(members)
        with PackReader(packs) as reader:
            contents = [reader.content_hash]
        self.start = LedgerStart(
            0, 0, 1, 1, "fill", [len(self.members)], False, "train", 0.0, contents
        )
        self.start = self.start._replace(**options)

    def order(self, epoch):
        return [self.members[(7 * i + epoch) % len(self.members)] for i in range(len(self.members))]

    def run(self, cursor, world_size, packs_per_step, steps, short=(), tail="fill"):
        """Makes steps from a cursor; ranks in `short` miss the last one. Returns where it ends."""
        start = self.start._replace(world_size=world_size, packs_per_step=packs_per_step, tail=tail)
        writers = [LedgerWriter(self.folder, rank) for rank in range(world_size)]
        for number in range(steps):
            cursor = start.normal(cursor)
            epoch, position = cursor
            taken = self.order(epoch)[position : position + packs_per_step]
            taken += [-1] * (packs_per_step - len(taken))
            end = start.normal((epoch, position + packs_per_step))
            for rank, writer in enumerate(writers):
                if number == steps - 1 and rank in short:
                    continue
                own = taken[rank * packs_per_step // world_size :][
                    : (rank + 1) * packs_per_step // world_size
                    - rank * packs_per_step // world_size
                ]
                noted = LedgerStep(epoch, number, position, own, [])
                writer.write(start._replace(epoch=epoch, position=position), noted, end)
            cursor = end
        return cursor


stretches = st.tuples(
    st.integers(1, 4), st.integers(0, 4), st.integers(1, 9), st.integers(0, 3), st.booleans()
)


@given(st.lists(stretches, min_size=1, max_size=5), st.sampled_from(["fill", "drop"]))
def test_a_true_history_is_proven(tmp_path_factory, packs, history, tail):
    training = Training(tmp_path_factory.mktemp("ledger"), packs)
    cursor = (0, 0)
    for number, (world_size, more, steps, back, kill_unevenly) in enumerate(history):
        options = {"world_size": world_size, "packs_per_step": world_size + more, "tail": tail}
        # Up to three steps after a checkpoint are made in vain, by some ranks one fewer.
        saved = training.run(cursor, steps=steps, **options)
        is_last = number == len(history) - 1
        if back and not is_last:
            short = {0} if kill_unevenly and world_size > 1 else ()
            training.run(saved, steps=back, short=short, **options)
        cursor = saved
    report = check_ledger(training.folder, [packs])
    assert report.problems == []
    finished = [one for one in report.epochs if one.finished]
    assert len(finished) == training.start._replace(**options).normal(cursor)[0]
    if tail == "fill":
        assert all(one.packs == PACKS for one in finished)
    assert all(one.packs + one.dropped == PACKS for one in finished)


def test_steps_that_not_all_ranks_reached_are_counted_and_left_out(tmp_path, packs):
    training = Training(tmp_path, packs)
    training.run((0, 0), 3, 3, steps=3, short={1})
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert (report.steps, report.open_steps, report.epochs[0].packs) == (2, 1, 6)


def edit(folder, rank, change):
    """Rewrites the lines of a rank by a function of their list."""
    path = folder / f"rank-{rank:05d}.jsonl"
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in change(lines)))


def without(number):
    return lambda lines: lines[:number] + lines[number + 1 :]


def with_packs(number, packs):
    return lambda lines: [*lines[:number], {**lines[number], "packs": packs}, *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("rank", "change", "problem"),
    [
        (0, with_packs(2, [0, 0]), "packs taken more than once"),
        (1, with_packs(3, [-1, -1]), "not at all"),
        (1, with_packs(1, [2, 99]), "packs that it does not go through"),
        (1, without(2), "rank 1 has no step at epoch 0 position 4"),
        (1, without(0), "rank 1 did not start it"),
    ],
)
def test_a_lie_is_found(tmp_path, packs, rank, change, problem):
    training = Training(tmp_path, packs)
    training.run((0, 0), 2, 4, steps=5)
    assert check_ledger(tmp_path, [packs]).problems == []
    edit(tmp_path, rank, change)
    report = check_ledger(tmp_path, [packs])
    assert any(problem in line for line in report.problems), report.problems


def test_a_step_that_all_ranks_left_out_is_found(tmp_path, packs):
    Training(tmp_path, packs).run((0, 0), 2, 4, steps=5)
    for rank in (0, 1):
        edit(tmp_path, rank, without(2))
    problems = check_ledger(tmp_path, [packs]).problems
    assert "after epoch 0 position 4 comes epoch 0 position 8" in problems


def test_a_ledger_that_begins_inside_an_epoch_proves_nothing(tmp_path, packs):
    Training(tmp_path, packs).run((0, 4), 1, 4, steps=3)
    problems = check_ledger(tmp_path, [packs]).problems
    assert "the ledger begins inside epoch 0, at position 4" in problems


def test_a_rank_that_did_not_start_the_last_run_is_found(tmp_path, packs):
    training = Training(tmp_path, packs)
    cursor = training.run((0, 0), 2, 4, steps=2)
    training.run(cursor, 3, 3, steps=2)
    (tmp_path / "rank-00002.jsonl").unlink()
    problems = check_ledger(tmp_path, [packs]).problems
    assert "run from epoch 0 position 8: rank 2 did not start it" in problems


def test_other_packs_are_found(tmp_path, packs):
    with PackWriter(tmp_path / "other") as writer:
        for number in range(PACKS):
            writer.write(Pack((Sample(content=(f"Other {number}.",)),), (9,)))
    Training(tmp_path / "ledger", packs).run((0, 0), 1, 4, steps=4)
    problems = check_ledger(tmp_path / "ledger", [tmp_path / "other"]).problems
    assert any("made with packs of contents" in line for line in problems)


def test_a_split_is_proven_by_its_own_packs(tmp_path, packs):
    for split in ("train", "validation"):
        members = hold_out(PACKS, 0.4, split).tolist()
        options = {"split": split, "validation_fraction": 0.4}
        training = Training(tmp_path / split, packs, members, **options)
        training.run((0, 0), 2, 4, steps=-(-len(members) // 4))
        report = check_ledger(tmp_path / split, [packs])
        assert report.problems == []
        assert report.epochs[0].packs == len(members)
        assert report.epochs[0].finished


def test_shares_may_leave_packs_to_the_next_epoch_but_none_behind(tmp_path, packs):
    training = Training(tmp_path, packs, packs_of_set=[5], has_shares=True)
    training.order = lambda epoch: [(5 * epoch + i) % PACKS for i in range(5)]
    training.run((0, 0), 1, 5, steps=7)
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert len(report.epochs) == 7
    edit(tmp_path, 0, with_packs(3, [0, 1, 2, 3, 4]))
    problems = check_ledger(tmp_path, [packs]).problems
    assert any("packs of set 0 were passed over" in line for line in problems)
