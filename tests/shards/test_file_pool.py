"""Files are read by range, and a bounded number of them is open."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from packkit.shards.file_pool import FilePool


@pytest.fixture
def numbered(tmp_path):
    """Two hundred files, each of which repeats its number."""
    paths = [tmp_path / str(number) for number in range(200)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 1000)
    return paths


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_ranges_end_where_the_file_ends(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    pool = FilePool()
    assert pool.read(path, 3, 2) == b"234"
    assert pool.read(path, 5, 8) == b"89"
    assert pool.read(path, 5, 10) == pool.read(path, 5, 99) == b""
    # A range from a damaged index must not cost its size in memory.
    assert pool.read(path, 2**62, 1) == b"123456789"


def test_few_files_stay_open_and_none_after_closing(numbered):
    pool = FilePool()
    before = open_files()
    for number, path in enumerate(numbered):
        assert pool.read(path, 1, 500) == bytes([number])
    assert before < open_files() <= before + 64
    pool.close()
    assert open_files() == before


def test_a_file_is_not_closed_while_a_thread_reads_it(numbered):
    pool = FilePool()
    wanted = [number * 37 % 200 for number in range(4000)]
    with ThreadPoolExecutor(8) as threads:
        contents = threads.map(lambda number: pool.read(numbered[number], 1000, 0), wanted)
        for number, data in zip(wanted, contents, strict=True):
            assert data == bytes([number]) * 1000


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FilePool().read(tmp_path / "nothing", 1, 0)
