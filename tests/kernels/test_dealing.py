"""Every placement gets the next samples of its group, in bins that follow one another."""

import numpy as np
import pytest

from packkit_kernels.dealing import deal_samples
from packkit_kernels.placements import PLACEMENT

# Three of group 0 alone, then group 1 beside two of them and in a bin of its own.
PLACEMENTS = np.array([(0, 0, 3, 1, 0), (1, 0, 2, 2, 1), (1, 3, 1, 3, 0)], PLACEMENT)
STARTS = np.array([7, 0])


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_samples_are_dealt_in_order_of_placement(kind):
    order = np.array([10, 11, 12, 13, 14, 15, 16, 20, 21, 22], kind)
    sample_order, bin_offsets = deal_samples(PLACEMENTS, STARTS, order)
    assert sample_order.dtype == kind
    assert bin_offsets.tolist() == [0, 3, 6, 7, 10]
    assert sample_order.tolist() == [20, 10, 11, 21, 12, 13, 22, 14, 15, 16]


def test_nothing_to_deal():
    nothing = np.empty(0, np.int64)
    sample_order, bin_offsets = deal_samples(np.empty(0, PLACEMENT), nothing, nothing)
    assert (sample_order.tolist(), bin_offsets.tolist()) == ([], [0])
