"""Two processes under accelerate: every pack once an epoch, or an error that says what to pass."""

import json
from collections import Counter

import pytest
from rank_processes import run_ranks

from packkit import check_ledger
from packkit.base.errors import InputError
from packkit.loading import FILLER, PackSampler

PACKS = 23
WAYS = ("left out", "default", "uneven", "balance", "workers", "PackLoader")


@pytest.fixture(scope="module")
def folder(packs, tmp_path_factory):
    """Where two processes left what they took, and their ledgers."""
    folder = tmp_path_factory.mktemp("accelerate")
    run_ranks("accelerate_ranks.py", [packs, folder], 2)
    return folder


@pytest.fixture(scope="module")
def said(folder):
    """What each of two processes took and which errors it saw."""
    return [json.loads((folder / f"said.{rank}").read_text()) for rank in range(2)]


@pytest.mark.parametrize("way", WAYS)
def test_two_ranks_take_every_pack_once_an_epoch(said, folder, packs, way):
    report = check_ledger(folder / way, [packs])
    assert report.problems == []
    assert [(epoch.packs, epoch.finished) for epoch in report.epochs] == [(PACKS, True)] * 3
    for epoch in range(3):
        ranks = [of_rank["taken"][way][epoch] for of_rank in said]
        assert len(ranks[0]) == len(ranks[1]) == 8
        taken = Counter(pack for rank in ranks for batch in rank for pack in batch)
        assert taken == Counter({**dict.fromkeys(range(PACKS), 1), FILLER: 1})
        if way != "balance":
            # As packkit deals them where nobody else does.
            assert ranks == [of_rank["taken"]["left out"][epoch] for of_rank in said]


@pytest.mark.parametrize("way", ["default", "uneven", "split"])
@pytest.mark.parametrize("sampler", ["sampler of a rank", "sampler of one"])
def test_dealing_twice_is_an_error_that_says_what_to_pass(said, way, sampler):
    for of_rank in said:
        error = of_rank["errors"][f"{way}, {sampler}"]
        assert error.startswith("InputError: PackSampler deals packs to ranks by itself")
        assert 'rank="all"' in error and "accelerator.prepare" in error


def test_all_ranks_without_anybody_who_deals_is_an_error(said):
    for of_rank in said:
        assert (
            "pass the DataLoader through accelerator.prepare" in of_rank["errors"]["all, left out"]
        )
    assert "dispatch_batches=False" in said[0]["errors"]["dispatch, all"]


def test_what_accelerate_itself_cannot_deal_is_its_error(said):
    assert "split_batches" in said[0]["errors"]["split, all"]
    for loader in ("sampler of a rank", "transformers", "stream"):
        assert said[0]["errors"][f"dispatch, {loader}"].startswith(("TypeError", "RuntimeError"))


def test_lightning_that_makes_the_sampler_again_is_told_to_leave_it(dataset):
    sampler = PackSampler(dataset, packs_per_step=4, rank=0, world_size=2)
    # As lightning.fabric.utilities.data looks at a batch sampler that it would deal out.
    with pytest.raises(InputError, match="in Lightning set use_distributed_sampler=False"):
        hasattr(sampler, "batch_size")
    alone = PackSampler(dataset, packs_per_step=4, rank=0, world_size=1)
    assert not hasattr(alone, "batch_size")
