"""Lengths alone, from a NumPy file."""

import os

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


def test_files_that_promise_more_than_they_hold_are_refused(tmp_path):
    path = tmp_path / "lengths.npy"
    np.save(path, np.arange(1, 1000))
    data = path.read_bytes()
    huge = data.replace(b"(999,), }" + b" " * 12, b"(999999999999999,), }")
    assert len(huge) == len(data) and huge != data
    for content in (b"", data[:-8], data[:50], huge, b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"lengths\.npy: must be a NumPy file"):
            read_lengths(path)
    np.savez(tmp_path / "several", a=np.arange(3))
    (tmp_path / "several.npz").rename(path)
    with pytest.raises(FormatError, match="an archive of several"):
        read_lengths(path)


def test_lengths_outlive_their_file(tmp_path):
    path = tmp_path / "lengths.npy"
    np.save(path, np.arange(1, 100_000))
    lengths = read_lengths(path)
    os.truncate(path, 200)
    assert int(lengths.sum()) == 99_999 * 50_000
