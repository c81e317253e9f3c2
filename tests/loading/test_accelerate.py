"""Two processes under accelerate: every pack once an epoch, or an error that says what to pass."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from packkit.base.errors import InputError
from packkit.loading import FILLER, PackSampler

PACKS = 23
WAYS = ("left out", "default", "uneven", "balance", "workers", "PackLoader")


@pytest.fixture(scope="module")
def said(packs, tmp_path_factory):
    """What each of two processes took and which errors it saw."""
    out = tmp_path_factory.mktemp("accelerate") / "said"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    script = str(Path(__file__).with_name("accelerate_ranks.py"))
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(packs), str(out)],
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    for process in processes:
        _, messages = process.communicate(timeout=300)
        assert process.returncode == 0, messages
    return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(2)]


@pytest.mark.parametrize("way", WAYS)
def test_two_ranks_take_every_pack_once_an_epoch(said, way):
    for epoch in range(2):
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
