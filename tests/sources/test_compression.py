"""What is inside compressed files comes out whole, or an error says that it does not."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import FormatError
from packkit.sources.compression import decompressed, inner_name

PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".tgz": gzip.compress}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("compression")


@given(
    st.sampled_from([*PACKERS]),
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4),
)
def test_streams_one_after_another_are_read_to_the_end(scratch, suffix, streams):
    path = scratch / f"a{suffix}"
    path.write_bytes(b"".join(map(PACKERS[suffix], streams)))
    assert b"".join(decompressed(path)) == b"".join(streams)


@pytest.mark.parametrize("zeros", [0, 4, 64])
def test_xz_streams_may_be_filled_up_with_zeros(scratch, zeros):
    path = scratch / "a.xz"
    path.write_bytes((lzma.compress(b"first ") + bytes(zeros)) * 2)
    assert b"".join(decompressed(path)) == b"first " * 2


@pytest.mark.parametrize("zeros", [0, 1, 512, 100_000])
def test_gzip_streams_may_be_filled_up_with_zeros(scratch, zeros):
    path = scratch / "a.gz"
    path.write_bytes((gzip.compress(b"first ") + bytes(zeros)) * 2)
    assert b"".join(decompressed(path)) == b"first " * 2


def zip_of(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@given(st.binary(max_size=300))
def test_of_a_zip_its_one_file_is_read(scratch, data):
    path = scratch / "a.jsonl.zip"
    path.write_bytes(zip_of(**{"a.jsonl": data, "__MACOSX/._a.jsonl": b"x", "folder/": b""}))
    assert b"".join(decompressed(path)) == data
    assert inner_name(path.name) == "a.jsonl"


@pytest.mark.parametrize("files", [{}, {"a.jsonl": b"x", "b.jsonl": b"y"}])
def test_a_zip_of_several_files_is_refused(scratch, files):
    path = scratch / "several.zip"
    path.write_bytes(zip_of(**files))
    with pytest.raises(FormatError, match=f"holds {len(files)} files, must be one: unpack it"):
        list(decompressed(path))


def test_a_damaged_zip_is_told(scratch):
    whole = bytearray(zip_of(**{"a.jsonl": bytes(range(256)) * 40}))
    for place in (0, 60, len(whole) // 2, len(whole) - 10):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (scratch / "damaged.zip").write_bytes(damaged[: len(whole) - 1] if not place else damaged)
        with pytest.raises(FormatError, match="cannot be decompressed"):
            list(decompressed(scratch / "damaged.zip"))


def test_large_xz_files_come_in_blocks(scratch):
    path = scratch / "a.xz"
    data = bytes(5 << 20)
    path.write_bytes(lzma.compress(data))
    blocks = list(decompressed(path))
    assert b"".join(blocks) == data and max(map(len, blocks)) <= 1 << 20


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_is_cut_off_is_told(scratch, suffix):
    whole = PACKERS[suffix](bytes(range(256)) * 50)
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        path = scratch / f"cut{suffix}"
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match="cannot be decompressed"):
            list(decompressed(path))


def test_xz_that_asks_for_much_memory_is_refused(scratch):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    path = scratch / "a.xz"
    path.write_bytes(lzma.compress(b"x", filters=filters))
    with pytest.raises(FormatError, match="cannot be decompressed"):
        list(decompressed(path))


@pytest.mark.parametrize(
    ("name", "inner"), [("a.TGZ", "a.tar"), ("a.txz", "a.tar"), ("a.json.xz", "a.json")]
)
def test_inner_names(name, inner):
    assert inner_name(name) == inner
