"""Single histories that a check must accept, refuse or name."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ledger_histories import (
    OTHER,
    PACKS,
    Training,
    compare,
    edit,
    make,
    many_files,
    rewrite,
    stretches,
)

from packkit.base.orders import hold_out
from packkit.ledger import check_ledger


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
