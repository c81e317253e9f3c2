"""One run a folder: what it holds, who writes to it, and where it goes on."""

import pytest
from training_cases import run_until

from packkit import check_ledger
from packkit.base.errors import LockedError, OutputExistsError
from packkit.base.lock import FileLock
from packkit.training import train
from packkit.training.checkpoints import newest_checkpoint


def test_folder_of_a_run_has_one_trainer_at_a_time(recipe_in, tmp_path):
    recipe = recipe_in(tmp_path / "run")
    held = FileLock(tmp_path / "run" / "lock", "thing")
    with pytest.raises(LockedError, match=r"run/lock: process \d+ holds the lock of run"):
        train(recipe)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]
    held.release()
    run_until(recipe, 1)
    # What ended the run has released its lock.
    FileLock(tmp_path / "run" / "lock", "thing").release()


def test_a_run_that_goes_on_with_larger_steps_saves_its_last(recipe_in, tmp_path):
    run_until(recipe_in(tmp_path / "run"), 3)
    seen = []
    last = train(
        recipe_in(tmp_path / "run", data={"packs_per_step": 4}),
        on_step=lambda metrics, steps: seen.append((metrics.step, steps)),
    )
    assert last.is_dir() and newest_checkpoint(last.parent) == last
    assert seen[-1][0] == seen[-1][1] and {steps for _, steps in seen} == {seen[-1][1]}
    assert (
        check_ledger(tmp_path / "run" / "ledger", [recipe_in(tmp_path).data.packs]).problems == []
    )


def test_a_checkpoint_older_than_the_run_is_not_resumed_over_it(recipe_in, tmp_path):
    recipe = recipe_in(tmp_path / "run", run={"keep": 9})
    run_until(recipe, 5)
    first = tmp_path / "run" / "checkpoints" / "step-00000002"
    with pytest.raises(OutputExistsError, match="step-00000004: is of a later step than 2"):
        train(recipe, resume=first)
    train(recipe_in(tmp_path / "other"), resume=first)
