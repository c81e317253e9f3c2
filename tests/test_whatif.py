"""What-if answers equal the plans themselves."""

import numpy as np
import pytest

from packkit.errors import FormatError
from packkit.planning import plan_packs
from packkit.whatif import read_lengths, what_if


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


@pytest.mark.parametrize("values", [np.array([1.5]), np.array([[1, 2]]), np.array([3, 0, 2])])
def test_other_arrays_are_refused(tmp_path, values):
    path = tmp_path / "lengths.npy"
    np.save(path, values)
    with pytest.raises(FormatError, match=r"lengths\.npy"):
        read_lengths(path)


def test_lengths_come_from_a_file(tmp_path):
    path = tmp_path / "lengths.npy"
    np.save(path, np.array([3, 1, 2], np.uint16))
    assert read_lengths(path).tolist() == [3, 1, 2]
