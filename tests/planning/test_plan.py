"""plan_packs is naive First-Fit-Decreasing, and every plan keeps its limits and its samples."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packkit.base.errors import InputError, LengthError
from packkit.planning import plan_histogram, plan_packs
from packkit_kernels.reference_planning import first_fit_decreasing


def bins_of(plan):
    return [indices.tolist() for indices in plan]


@st.composite
def problems(draw, max_size=60, limits=True):
    """Arguments of plan_packs, all limits in all combinations."""
    capacity = draw(st.integers(1, 64))
    # Few different lengths make long runs of equal bins, many make short ones.
    longest = draw(st.integers(1, capacity))
    lengths = draw(st.lists(st.integers(1, longest), max_size=max_size))
    arguments = {"lengths": lengths, "capacity": capacity}
    if limits and draw(st.booleans()):
        arguments["max_samples"] = draw(st.integers(1, 8))
    if limits and draw(st.booleans()):
        most = draw(st.integers(1, 6))
        size = len(lengths)
        arguments["max_images"] = most
        arguments["images"] = draw(st.lists(st.integers(0, most), min_size=size, max_size=size))
    return arguments


@given(problems())
@settings(max_examples=1500, deadline=None)
@example({"lengths": [], "capacity": 10})
@example({"lengths": [7], "capacity": 7})
@example({"lengths": [3] * 40, "capacity": 10})
@example({"lengths": [10] * 5, "capacity": 10})
def test_ffd_is_naive_first_fit_decreasing(arguments):
    assert bins_of(plan_packs(**arguments)) == first_fit_decreasing(**arguments)


@pytest.mark.parametrize("limits", [{}, {"max_samples": 9}, {"max_images": 5}])
def test_ffd_is_naive_first_fit_decreasing_on_thousands_of_samples(limits):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 5, 4000)
    text = np.clip(rng.lognormal(5.5, 1.0, 4000), 16, 3000).astype(int)
    arguments = {"lengths": (144 * images + text).tolist(), "images": images.tolist(), **limits}
    plan = plan_packs(**arguments, capacity=4096)
    assert bins_of(plan) == first_fit_decreasing(**arguments, capacity=4096)


@given(problems(limits=False), st.sampled_from(["ffd", "fill", "best"]))
@settings(max_examples=500, deadline=None)
def test_every_sample_is_in_one_bin_and_no_bin_is_over_capacity(arguments, algorithm):
    plan = plan_packs(**arguments, algorithm=algorithm)
    lengths = np.array(arguments["lengths"], int)
    assert sorted(plan.sample_order.tolist()) == list(range(len(lengths)))
    assert plan.bin_offsets[0] == 0
    assert plan.bin_offsets[-1] == len(lengths)
    for indices in plan:
        inside = lengths[indices].tolist()
        assert 1 <= sum(inside) <= plan.capacity
        assert list(zip(inside, -indices, strict=True)) == sorted(
            zip(inside, -indices, strict=True), reverse=True
        )


@given(problems(limits=False))
@settings(max_examples=300, deadline=None)
def test_best_keeps_the_fewest_packs_and_ffd_on_a_tie(arguments):
    ffd, fill, best = (plan_packs(**arguments, algorithm=a) for a in ("ffd", "fill", "best"))
    expected = fill if fill.packs < ffd.packs else ffd
    assert best.algorithm == expected.algorithm
    assert bins_of(best) == bins_of(expected)
    assert ffd.fill_packs == fill.packs


def test_best_is_ffd_where_images_or_samples_are_limited():
    lengths = [6, 4, 4, 3, 3] * 4
    assert plan_packs(lengths, capacity=10).fill_packs == 8
    limited = plan_packs(lengths, capacity=10, algorithm="best", max_samples=3)
    assert limited.algorithm == "ffd"
    assert limited.fill_packs is None
    with pytest.raises(InputError, match="fill does not take max_samples; use ffd or best"):
        plan_packs(lengths, capacity=10, algorithm="fill", max_samples=3)


def test_fill_saves_what_ffd_wastes_on_captions():
    text = np.random.default_rng(0).lognormal(3.6, 0.5, 50_000)
    lengths = 144 + np.clip(text, 5, 400).astype(np.uint16)
    ffd, best = (plan_packs(lengths, capacity=4096, algorithm=a) for a in ("ffd", "best"))
    assert best.algorithm == "fill"
    assert best.gap < 0.0015 < 0.012 < ffd.gap


@given(problems(limits=False), st.sampled_from(["ffd", "fill", "best"]))
@settings(max_examples=200, deadline=None)
def test_histogram_alone_tells_what_the_plan_comes_to(arguments, algorithm):
    capacity = arguments["capacity"]
    plan = plan_packs(**arguments, algorithm=algorithm)
    told = plan_histogram(np.bincount(arguments["lengths"]), capacity=capacity, algorithm=algorithm)
    for name in ("samples", "tokens", "packs", "efficiency", "lower_bound", "gap", "algorithm"):
        assert getattr(told, name) == getattr(plan, name)
    assert told.samples == len(arguments["lengths"])
    assert told.tokens == sum(arguments["lengths"])


def test_histogram_of_ten_billion_samples():
    counts = np.zeros(4097, np.int64)
    counts[[1500, 1000, 548]] = 4 * 10**9, 4 * 10**9, 2 * 10**9
    plan = plan_histogram(counts, capacity=4096)
    assert plan.samples == 10**10
    # Two of 1500 and one of 1000; four of 1000; seven of 548.
    assert plan.packs == 2 * 10**9 + 5 * 10**8 + 285_714_286
    assert plan.lower_bound <= plan.packs
    assert plan.efficiency == pytest.approx(plan.tokens / plan.packs / 4096)


@given(problems(max_size=7))
@settings(max_examples=400, deadline=None)
def test_bound_and_packs_enclose_the_fewest_bins(fewest_bins, arguments):
    plan = plan_packs(**arguments)
    optimum = fewest_bins(**arguments)
    assert plan.lower_bound <= optimum <= plan.packs
    if plan.fill_packs is not None:
        assert optimum <= plan.fill_packs
        # G. Dosa, "The tight bound of First Fit Decreasing bin-packing algorithm is
        # FFD(I) <= 11/9 OPT(I) + 6/9", ESCAPE 2007.
        assert 9 * plan.packs <= 11 * optimum + 6


@pytest.mark.parametrize(
    ("arguments", "bound"),
    [
        ({"lengths": [1] * 6, "images": [3, 3, 3, 1, 0, 0], "max_images": 3}, 4),
        ({"lengths": [1] * 7, "max_samples": 2}, 4),
        ({"lengths": [6, 6, 6]}, 3),
        ({"lengths": []}, 0),
    ],
)
def test_lower_bound_counts_every_limit(arguments, bound):
    assert plan_packs(**arguments, capacity=10).lower_bound == bound


def test_empty_plan_wastes_nothing():
    for plan in (plan_packs([], capacity=8), plan_histogram([], capacity=8)):
        assert (plan.samples, plan.tokens, plan.packs, plan.fill_packs) == (0, 0, 0, 0)
        assert (plan.efficiency, plan.gap) == (1.0, 0.0)


def test_images_do_not_matter_without_a_limit():
    lengths, images = [4, 4, 3, 3], [0, 2, 0, 5]
    assert bins_of(plan_packs(lengths, capacity=8, images=images)) == [[0, 1], [2, 3]]
    assert bins_of(plan_packs(lengths, capacity=8, images=images, max_images=5)) == [[1, 0], [3, 2]]


@pytest.mark.parametrize("limits", [{}, {"max_images": 50, "images": [1] * 9}])
def test_limits_that_never_bind_change_nothing(limits):
    lengths = [9, 7, 7, 5, 4, 4, 2, 1, 1]
    free = plan_packs(lengths, capacity=12)
    assert bins_of(plan_packs(lengths, capacity=12, max_samples=10**12, **limits)) == bins_of(free)


LENGTHS = [5, 3, 5, 2, 7, 1]


@pytest.mark.parametrize(
    "lengths",
    [
        LENGTHS,
        tuple(LENGTHS),
        *(np.array(LENGTHS, kind) for kind in ("u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4")),
        np.repeat(np.array(LENGTHS, np.uint16), 2)[::2],
    ],
    ids=lambda lengths: getattr(getattr(lengths, "dtype", type(lengths)), "name", "sequence"),
)
def test_lengths_may_be_any_integers(lengths):
    assert bins_of(plan_packs(lengths, capacity=8)) == [[4, 5], [0, 1], [2, 3]]


def test_lengths_may_be_read_only():
    lengths = np.array(LENGTHS, np.uint16)
    lengths.flags.writeable = False
    assert plan_packs(lengths, capacity=8).packs == 3


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.int64])
@pytest.mark.parametrize(("length", "place"), [(0, 3), (4097, 0), (65_000, 7)])
def test_length_that_no_bin_can_hold_is_named(kind, length, place):
    lengths = np.full(8, 100, np.int64)
    lengths[place] = length
    if np.iinfo(kind).max < length:
        return
    with pytest.raises(LengthError, match=rf"lengths\[{place}\] must be in 1\.\.4096") as caught:
        plan_packs(lengths.astype(kind), capacity=4096)
    assert (caught.value.index, caught.value.length) == (place, length)


def test_negative_length_is_named():
    with pytest.raises(LengthError, match=r"lengths\[1\] must be in 1\.\.8 tokens, got -3"):
        plan_packs([1, -3, 9], capacity=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": [1.0]}, "lengths must be integers, got float64"),
        ({"lengths": [True]}, "lengths must be integers, got bool"),
        ({"lengths": [2**70]}, "lengths must be integers, got object"),
        ({"lengths": [[1]]}, r"lengths must be 1-dimensional, got shape \(1, 1\)"),
        ({"lengths": 3}, r"lengths must be 1-dimensional, got shape \(\)"),
        ({"capacity": 0}, "capacity must be at least 1, got 0"),
        ({"capacity": 4.0}, r"capacity must be a whole number, got 4\.0"),
        ({"capacity": True}, "capacity must be a whole number, got True"),
        ({"capacity": 2**24 + 1}, "capacity must be at most 16777216, got 16777217"),
        ({"max_images": 10**30}, "max_images must be at most"),
        ({"max_samples": 0}, "max_samples must be at least 1, got 0"),
        ({"max_images": -1}, "max_images must be at least 1, got -1"),
        ({"max_images": 2}, "max_images needs images"),
        ({"max_images": 2, "images": [1]}, "images must be as many as lengths, got 1 and 2"),
        ({"max_images": 2, "images": [0, 3]}, r"images\[1\] must be in 0\.\.2, got 3"),
        ({"max_images": 2, "images": [-1, 0]}, r"images\[0\] must be in 0\.\.2, got -1"),
        ({"max_images": 2, "images": [0.5, 0]}, "images must be integers, got float64"),
        ({"algorithm": "bfd"}, "algorithm must be one of ffd, fill, best, got 'bfd'"),
    ],
)
def test_illegal_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        plan_packs(**{"lengths": [1, 2], "capacity": 8, **arguments})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1], r"counts\[0\] must be 0: every sample has a token, got 1"),
        ([0, 1, -2], r"counts\[2\] must not be negative, got -2"),
        ([0] * 10, r"counts must be at most capacity \+ 1 = 9, got 10"),
        ([[0, 1]], "counts must be 1-dimensional"),
    ],
)
def test_illegal_counts_are_named(counts, message):
    with pytest.raises(InputError, match=message):
        plan_histogram(counts, capacity=8)


@pytest.mark.parametrize("limits", [{}, {"max_images": 4}])
def test_memory_is_at_most_16_bytes_a_sample(limits):
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(6.2, 1.0, 10**6), 16, 4096).astype(np.uint16)
    images = rng.integers(0, 4, 10**6, dtype=np.uint8)
    plan_packs(lengths[:10], capacity=4096, images=images[:10], **limits)
    tracemalloc.start()
    try:
        plan_packs(lengths, capacity=4096, images=images, **limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 16 * len(lengths)


def test_bins_are_counted_from_zero():
    plan = plan_packs([5, 5], capacity=8)
    assert len(plan) == 2
    for index in (-1, 2):
        with pytest.raises(IndexError, match=rf"bin must be in 0\.\.1, got {index}"):
            plan[index]
