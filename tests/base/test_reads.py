"""A read gives what was asked for, however little the system gives at a time."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.base.reads import read_range
from packkit.images import FileImage, RangeImage


def give_little(patch, most):
    """Makes every read return `most` bytes or fewer."""
    pread = os.pread
    patch.setattr(
        os, "pread", lambda descriptor, size, offset: pread(descriptor, min(size, most), offset)
    )


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(0, 70), st.integers(1, 9))
@settings(deadline=None)
def test_a_range_is_read_whole(tmp_path_factory, data, offset, size, most):
    path = tmp_path_factory.getbasetemp() / "range"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pytest.MonkeyPatch.context() as patch:
            give_little(patch, most)
            assert read_range(descriptor, offset, size) == data[offset : offset + size]
            assert FileImage(str(path)).read() == data
            assert RangeImage(str(path), 0, len(data)).read() == data
    finally:
        os.close(descriptor)


def test_a_file_that_yields_less_than_it_says_is_no_image(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 100)
    pread = os.pread
    # It is cut off between fstat and the read.
    monkeypatch.setattr(os, "pread", lambda d, size, at: pread(d, max(0, min(size, 40 - at)), at))
    for read in (FileImage(str(path)).read, lambda: FileImage(str(path)).peek(60)):
        with pytest.raises(SampleError, match=r"a\.jpg: 40 of \d+ bytes can be read") as caught:
            read()
        assert caught.value.reason is RejectReason.TRUNCATED_FILE


def test_nothing_else_reads_by_place():
    root = Path(__file__).parents[2] / "packkit"
    users = [path.name for path in root.rglob("*.py") if "os.pread(" in path.read_text()]
    assert users == ["reads.py"]
