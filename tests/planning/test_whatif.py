"""What-if answers equal the plans themselves."""

import numpy as np
import pytest

from packkit.base.errors import InputError
from packkit.planning import plan_packs
from packkit.planning.whatif import what_if


def test_answers_equal_plans_and_count_what_does_not_fit():
    lengths = np.random.default_rng(0).integers(1, 300, 5000)
    rows = what_if(lengths, [100, 200])
    assert [(row.capacity, row.algorithm) for row in rows] == [
        (100, "ffd"),
        (100, "fill"),
        (200, "ffd"),
        (200, "fill"),
    ]
    for row in rows:
        fitting = lengths[lengths <= row.capacity]
        plan = plan_packs(fitting, capacity=row.capacity, algorithm=row.algorithm)
        assert (row.packs, row.lower_bound) == (plan.packs, plan.lower_bound)
        assert row.overlong == len(lengths) - len(fitting)


def test_lengths_that_fit_nowhere_take_no_memory():
    (row, _) = what_if(np.array([3, 2**40], np.int64), [8])
    assert (row.samples, row.overlong, row.packs) == (1, 1, 1)


@pytest.mark.parametrize("capacity", [0, 2**24 + 1, 10**30, True])
def test_capacities_are_checked_before_anything_is_counted(capacity):
    with pytest.raises(InputError, match="max_len must be"):
        what_if(np.array([3]), [8, capacity])
