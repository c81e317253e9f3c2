"""The array of placements grows without losing any."""

import numpy as np

from packkit_kernels.placements import PLACEMENT, append_placement, count_bins


def test_full_array_grows_and_keeps_what_it_holds():
    placements = np.empty(1, PLACEMENT)
    records = [(i, 10 * i, 10, 2, 3) for i in range(9)]
    for used, record in enumerate(records):
        placements = append_placement(placements, used, *record)
    assert placements[: len(records)].tolist() == records
    assert count_bins(placements[: len(records)]) == 90


def test_no_placement_uses_no_bin():
    assert count_bins(np.empty(0, PLACEMENT)) == 0
