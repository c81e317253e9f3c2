"""Lightning, in one process and in two: three epochs by each door, proven by the ledger."""

import json

import pytest
from rank_processes import run_ranks

from packkit import check_ledger

PACKS = 23
DOORS = ("loader-0", "map-0", "map-2", "stream-0", "stream-2")


@pytest.fixture(scope="module", params=[1, 2])
def trained(request, packs, tmp_path_factory):
    """The folder of ledgers, and the steps of each rank, door and epoch."""
    folder = tmp_path_factory.mktemp("lightning")
    # Lightning takes the variables of torchrun for its own where there is this one.
    variables = {"TORCHELASTIC_RUN_ID": "test"} if request.param > 1 else {}
    run_ranks("lightning_ranks.py", [packs, folder], request.param, **variables)
    steps = [
        json.loads((folder / f"steps-{rank}.json").read_text()) for rank in range(request.param)
    ]
    return folder, steps


@pytest.mark.parametrize("door", DOORS)
def test_three_epochs_train_every_pack_once_each(trained, packs, door):
    folder, steps = trained
    assert all(of_rank[door] == [6, 6, 6] for of_rank in steps)
    report = check_ledger(folder / door, [packs])
    assert report.problems == []
    assert [(epoch.packs, epoch.fillers, epoch.finished) for epoch in report.epochs] == [
        (PACKS, 1, True)
    ] * 3
