"""A true history is proven, whatever its stops; every lie in it is found."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ledger_histories import (
    PACKS,
    Training,
    compare,
    edit,
    make,
    many_files,
    own_packs,
    rewrite,
    stretches,
)

from packkit.base.errors import FormatError
from packkit.ledger import check_ledger


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
        assert len(report.epochs) == len({step.epoch for step in training.steps})
        for epoch in report.epochs:
            compare(epoch, training)


def take_another(training, step, rank, draw):
    packs = own_packs(step, rank)
    others = [pack for other in training.steps if other.epoch == step.epoch for pack in other.packs]
    others = sorted({pack for pack in others if pack >= 0} - {packs[0]})
    assume(packs[0] >= 0 and others)
    changed = [draw(st.sampled_from(others)), *packs[1:]]
    edit(training.folder, rank, lambda lines: rewrite(lines, step, changed))


def take_a_stranger(training, step, rank, draw):
    changed = [PACKS + draw(st.integers(0, 9)), *own_packs(step, rank)[1:]]
    edit(training.folder, rank, lambda lines: rewrite(lines, step, changed))


def leave_a_pack_out(training, step, rank, draw):
    edit(training.folder, rank, lambda lines: rewrite(lines, step, own_packs(step, rank)[1:]))


def take_a_filler(training, step, rank, draw):
    packs = own_packs(step, rank)
    assume(packs[0] >= 0)
    edit(training.folder, rank, lambda lines: rewrite(lines, step, [-1, *packs[1:]]))


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
    assume(sum(other.start == step.start for other in training.steps) > 1)
    # Of a rank alone, two runs with the same options can be one.
    assume(step.start.world_size > 1)
    line = {"start": step.start._asdict()}
    edit(training.folder, rank, lambda lines: [kept for kept in lines if kept != line])


def lose_a_file(training, step, rank, draw):
    assume(sum(other.start == step.start for other in training.steps) > 1)
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
