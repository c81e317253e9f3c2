"""Groups land where their samples would land one by one, at a cost that ignores their number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit_kernels.ffd import place_first_fit
from packkit_kernels.placements import count_bins
from packkit_kernels.reference_planning import first_fit_decreasing


def place(groups, capacity, max_images=0, max_samples=None):
    """Places [(length, images, count), ...], which must stand in order of placement."""
    columns = np.array(groups, np.int64).reshape(-1, 3).T.copy()
    return place_first_fit(*columns, capacity, max_images, max_samples or capacity)


def bins_of(placements):
    """The groups in every bin, in order of placement; checks that slots tell the truth."""
    bins = [[] for _ in range(count_bins(placements))]
    for group, first, number, per_bin, slot in placements.tolist():
        for contents in bins[first : first + number]:
            assert len(contents) == slot
            contents += [group] * per_bin
    return bins


@st.composite
def problems(draw):
    capacity = draw(st.integers(1, 40))
    most_images = draw(st.integers(0, 4))
    kinds = st.tuples(st.integers(1, capacity), st.integers(0, most_images))
    groups = sorted(draw(st.lists(kinds, unique=True, max_size=12)), reverse=True)
    counts = draw(st.lists(st.integers(1, 30), min_size=len(groups), max_size=len(groups)))
    limits = {"max_images": most_images, "max_samples": draw(st.integers(1, capacity))}
    return [(*kind, count) for kind, count in zip(groups, counts, strict=True)], capacity, limits


@given(problems())
@settings(max_examples=500, deadline=None)
def test_groups_land_where_their_samples_would(problem):
    groups, capacity, limits = problem
    samples = [group for group, (_, _, count) in enumerate(groups) for _ in range(count)]
    lengths = [groups[group][0] for group in samples]
    images = [groups[group][1] for group in samples]
    bins = first_fit_decreasing(lengths, capacity, images, **limits)
    assert bins_of(place(groups, capacity, **limits)) == [[samples[i] for i in b] for b in bins]


@pytest.mark.parametrize("max_images", [0, 12])
def test_thousands_of_groups_of_one_sample(max_images):
    rng = np.random.default_rng(1)
    lengths = rng.choice(np.arange(20, 6000), 3000, replace=False).tolist()
    images = rng.integers(0, 5, 3000).tolist() if max_images else [0] * 3000
    kinds = sorted(zip(lengths, images, strict=True), reverse=True)
    bins = first_fit_decreasing(
        [length for length, _ in kinds], 6000, [image for _, image in kinds], max_images
    )
    assert bins_of(place([(*kind, 1) for kind in kinds], 6000, max_images)) == bins


def test_cost_does_not_grow_with_the_number_of_samples():
    rng = np.random.default_rng(2)
    kinds = [(length, 0, count) for length, count in enumerate(rng.integers(1, 99, 4096), 1)][::-1]
    million_times = [(length, 0, count * 10**6) for length, _, count in kinds]
    few, many = place(kinds, 4096), place(million_times, 4096)
    assert len(many) < 1.5 * len(few)
    placed = np.bincount(many["group"], many["bins"] * many["per_bin"])
    assert placed.tolist() == [count for _, _, count in million_times]


def test_nothing_to_place():
    assert len(place([], 10)) == 0
