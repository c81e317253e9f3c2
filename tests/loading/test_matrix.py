"""The whole matrix of world sizes, threads or workers, stops and changes: ``make proof``."""

from collections import Counter
from itertools import product

import pytest
from torch.utils.data import DataLoader

from packkit.loading import FILLER, PackSampler, PackStream

PACKS = 23
WORLDS = (1, 2, 3, 4, 8)
STOPS = ("first", "middle", "last", "edge")

pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]


@pytest.fixture
def batches_of(make_loader, dataset, take):
    """Goes on from a state on all ranks; returns what they took, and the state they reached."""

    def go(kind, count, world_size, packs_per_step, state=None, stop=None):
        taken, states, lengths = [], [], set()
        for rank in range(world_size):
            sizes = {"packs_per_step": packs_per_step, "rank": rank, "world_size": world_size}
            if kind == "threads":
                source = batches = make_loader(threads=count, **sizes)
            else:
                source = PackStream(dataset, PackSampler(dataset, **sizes))
            if state is not None:
                source.load_state_dict(state)
            if kind == "workers":
                batches = DataLoader(source, batch_size=None, num_workers=count)
            length = len(batches)
            lengths.add(length)
            wanted = {"first": 1, "middle": max(1, length // 2), "last": length - 1}
            rank_batches = take(batches, max(1, wanted.get(stop, length)))
            taken += rank_batches
            states.append(rank_batches[-1].state)
        assert len(lengths) == 1
        assert all(state == states[0] for state in states)
        return taken, states[0]

    return go


@pytest.mark.parametrize("kind", ["threads", "workers"])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("before", WORLDS)
def test_no_pack_is_lost_or_repeated(batches_of, digest, kind, count, before):
    for after, stop, more in product(WORLDS, STOPS, (0, 3)):
        first, second = before + more, after + 2
        taken, state = batches_of(kind, count, before, first, stop=stop)
        if state["epoch"] == 0:
            rest, state = batches_of(kind, (count + 1) % 3, after, second, state)
            taken += rest
        assert state["epoch"] == 1 and state["position"] == 0
        counts = Counter(pack for batch in taken for pack in batch.pack_ids.tolist())
        counts.pop(FILLER, None)
        assert counts == Counter(range(PACKS))
