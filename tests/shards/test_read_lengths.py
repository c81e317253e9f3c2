"""Lengths alone, from a NumPy file."""

import numpy as np
import pytest

from packkit.base.errors import FormatError
from packkit.shards.read_lengths import read_lengths


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
