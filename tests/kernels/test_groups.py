"""Samples are sorted stably and grouped without loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit_kernels.groups import count_values, group_by_images, group_by_length, sort_samples

samples = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5)), max_size=60)


def columns(pairs):
    return np.array(pairs, np.int64).reshape(-1, 2).T.copy()


@given(samples)
@settings(max_examples=200, deadline=None)
def test_sort_is_stable_by_length_then_images(pairs):
    lengths, images = columns(pairs)
    counts = count_values(lengths, 21)
    assert counts.tolist() == np.bincount(lengths, minlength=21).tolist()
    by_length = np.argsort(lengths, kind="stable")
    assert sort_samples(lengths, counts).tolist() == by_length.tolist()
    by_both = np.lexsort((images, lengths))
    assert sort_samples(lengths, counts, images).tolist() == by_both.tolist()


@given(samples)
@settings(max_examples=200, deadline=None)
def test_groups_tell_which_samples_are_alike(pairs):
    lengths, images = columns(pairs)
    counts = count_values(lengths, 21)
    order = sort_samples(lengths, counts, images)
    groups = group_by_images(lengths, images, order)
    kinds = list(zip(groups.lengths.tolist(), groups.images.tolist(), strict=True))
    assert kinds == sorted(set(pairs), reverse=True)
    for kind, count, start in zip(kinds, groups.counts, groups.starts, strict=True):
        members = order[start : start + count].tolist()
        assert members == [i for i, pair in enumerate(pairs) if pair == kind]

    alike = group_by_images(lengths, np.zeros_like(images), sort_samples(lengths, counts))
    for column, expected in zip(group_by_length(counts), alike, strict=True):
        assert column.tolist() == expected.tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64, np.uint64])
def test_any_integer_type_sorts_alike(kind):
    lengths = np.array([7, 3, 7, 1, 3], kind)
    order = sort_samples(lengths, count_values(lengths, 8))
    assert order.dtype == np.int32
    assert order.tolist() == [3, 1, 4, 0, 2]
