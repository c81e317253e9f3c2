"""An arrangement is the naive one: every sample once, limits kept, shards cut when full."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.orders import hashes, seeded_key, seeded_order
from packkit.planning.arrange import arrange
from packkit_kernels.reference_planning import first_fit_decreasing

SAMPLES, INSIDE, PACKS = range(3)


@st.composite
def problems(draw):
    """Arguments of arrange; few lengths, so that most samples tie."""
    capacity = draw(st.integers(4, 32))
    n = draw(st.integers(0, 60))
    column = st.lists(st.integers(1, capacity), min_size=n, max_size=n)
    limits = st.none() | st.integers(1, 5)
    images = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    max_images = draw(limits)
    if max_images is not None:
        images = [min(count, max_images) for count in images]
    return {
        "lengths": np.array(draw(column), np.int32),
        "images": np.array(images, np.int32),
        "stored": np.array(draw(column), np.int64) * 10,
        "capacity": capacity,
        # Sizes are multiples of ten: some shards are filled to the byte.
        "shard_size": draw(st.integers(1, 1000) | st.integers(1, 50).map(lambda n: 10 * n)),
        "seed": draw(st.integers(0, 2**32)),
        "max_images": max_images,
        "max_samples": draw(limits),
    }


def arranged(arguments):
    """The packs of each shard, as lists of samples."""
    fields = dict(arguments)
    columns = [fields.pop(name) for name in ("lengths", "images", "stored")]
    return arrange(*columns, **fields)


def packs_of(shard):
    return [pack.tolist() for pack in np.split(shard.samples, shard.bin_offsets[1:-1])]


def naive_packs(arguments, first_fit_decreasing):
    """The same packs, sample by sample."""
    seed = arguments["seed"]
    order = seeded_order(len(arguments["lengths"]), seed, SAMPLES).tolist()
    bins = first_fit_decreasing(
        [int(arguments["lengths"][sample]) for sample in order],
        arguments["capacity"],
        [int(arguments["images"][sample]) for sample in order],
        arguments["max_images"],
        arguments["max_samples"],
    )
    keys = iter(hashes(len(order), seeded_key(seed, INSIDE)).tolist())
    packs = [
        [sample for _, sample in sorted((next(keys), order[place]) for place in members)]
        for members in bins
    ]
    return [packs[number] for number in seeded_order(len(packs), seed, PACKS).tolist()]


def naive_shards(packs, stored, shard_size):
    """Closes a shard before the pack that would not fit."""
    shards, room = [], 0
    for pack in packs:
        size = sum(int(stored[sample]) for sample in pack)
        if not shards or size > room:
            shards.append([])
            room = shard_size
        shards[-1].append(pack)
        room -= size
    return shards


@given(problems())
def test_arrangement_is_the_naive_one(arguments):
    shards = [packs_of(shard) for shard in arranged(arguments).shards]
    packs = naive_packs(arguments, first_fit_decreasing)
    assert shards == naive_shards(packs, arguments["stored"], arguments["shard_size"])


@given(problems())
def test_every_sample_is_placed_once_and_limits_are_kept(arguments):
    shards = arranged(arguments).shards
    packs = [pack for shard in shards for pack in packs_of(shard)]
    placed = sorted(sample for pack in packs for sample in pack)
    assert placed == list(range(len(arguments["lengths"])))
    for pack in packs:
        assert 0 < arguments["lengths"][pack].sum() <= arguments["capacity"]
        assert len(pack) <= (arguments["max_samples"] or len(pack))
        images = arguments["images"][pack].sum()
        assert images <= (images if arguments["max_images"] is None else arguments["max_images"])


@given(problems())
def test_shards_are_numbered_and_know_their_first_pack(arguments):
    shards = arranged(arguments).shards
    first = 0
    for number, shard in enumerate(shards):
        assert (shard.number, shard.first_pack) == (number, first)
        first += len(shard.bin_offsets) - 1
    assert first == arranged(arguments).plan.packs


@given(problems())
def test_the_same_seed_gives_the_same_arrangement(arguments):
    first, second = ([packs_of(shard) for shard in arranged(arguments).shards] for _ in range(2))
    assert first == second


def test_another_seed_gives_other_packs_of_the_same_number():
    rng = np.random.default_rng(0)
    columns = rng.integers(1, 50, 500).astype(np.int32), np.zeros(500, np.int32), np.ones(500, int)
    both = [arrange(*columns, capacity=100, shard_size=10**6, seed=seed) for seed in (0, 1)]
    packs = [packs_of(arrangement.shards[0]) for arrangement in both]
    assert both[0].plan.packs == both[1].plan.packs
    assert {frozenset(pack) for pack in packs[0]} != {frozenset(pack) for pack in packs[1]}


def test_samples_of_concatenated_sources_meet():
    n = 2000
    lengths = np.full(2 * n, 10, np.int32)
    arrangement = arrange(
        lengths, np.zeros(2 * n, np.int32), np.ones(2 * n, int), capacity=80, shard_size=10**9
    )
    (shard,) = arrangement.shards
    sources = shard.samples.reshape(-1, 8) >= n
    # Of packs of eight drawn at random, 1 in 128 has samples of one source only.
    assert np.mean(sources.all(1) | ~sources.any(1)) < 0.03
