"""Whatever is packed becomes files, and the same input gets the same identity."""

import io
import os

import orjson
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_inputs import caption, png, write_lines

from packkit.base.errors import InputError
from packkit.images import FileImage
from packkit.packing.intake import file_stamp, take_in
from packkit.samples import Sample
from packkit.sources import InputFile

IN_TMP_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Trickle(io.RawIOBase, io.BufferedIOBase):
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data, sizes):
        self._data, self._sizes = data, iter(sizes)

    def read(self, size=-1):
        taken = min(next(self._sizes, len(self._data)), size, len(self._data))
        part, self._data = self._data[:taken], self._data[taken:]
        return part


@given(st.binary(max_size=300), st.lists(st.integers(1, 50)))
@IN_TMP_PATH
def test_a_stream_is_staged_whole_and_known_by_its_content(tmp_path, data, sizes):
    first = take_in(io.BytesIO(data), tmp_path / "first")
    second = take_in(Trickle(data, sizes), tmp_path / "second")
    assert first.identity == second.identity
    assert first.identity[0]["xxh3_128"] == xxhash.xxh3_128_hexdigest(data)
    assert [file.path.read_bytes() for file in (*first.files, *second.files)] == [data, data]
    assert first.data_root == os.getcwd()


@given(st.binary(max_size=50), st.binary(max_size=50))
@IN_TMP_PATH
def test_streams_have_one_identity_where_their_bytes_are_equal(tmp_path, one_stream, other):
    identities = [take_in(io.BytesIO(data), tmp_path).identity for data in (one_stream, other)]
    assert (identities[0] == identities[1]) is (one_stream == other)


def test_samples_are_staged_as_their_lines_with_their_images(tmp_path):
    (tmp_path / "image.png").write_bytes(png(1))
    by_path = Sample(content=(None, "Axial."), images=(FileImage(str(tmp_path / "image.png")),))
    samples = [Sample.from_dict(caption(number)) for number in range(5)] + [by_path]
    intake = take_in(iter(samples), tmp_path / "samples")
    lines = intake.files[0].path.read_bytes()
    staged = [Sample.from_dict(orjson.loads(line)) for line in lines.splitlines()]
    assert staged[:5] == samples[:5]
    assert staged[5].image_bytes(0) == png(1)
    assert take_in(samples, tmp_path / "again").identity == intake.identity
    assert take_in(io.BytesIO(lines), tmp_path / "stream").identity == intake.identity
    # The images are in the lines: no folder takes part.
    assert intake.data_root is None


def test_files_are_known_by_name_size_and_time(tmp_path):
    paths = [write_lines(tmp_path / f"{name}.jsonl", [caption(1)]) for name in "ba"]
    intake = take_in(paths, tmp_path / "staging")
    assert [file.path for file in intake.files] == paths
    assert [stamp["name"] for stamp in intake.identity] == ["b.jsonl", "a.jsonl"]
    assert take_in(paths, tmp_path / "staging") == intake
    assert take_in(tmp_path, tmp_path / "staging").files == intake.files[::-1]
    assert intake.data_root is None
    assert not (tmp_path / "staging").exists()


@pytest.mark.parametrize("change", ["size", "mtime_ns"])
def test_a_changed_file_has_another_stamp(tmp_path, change):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n")
    os.utime(path, ns=(0, 10**9))
    before = file_stamp(InputFile("a.jsonl", path))
    path.write_bytes(b"{}\n\n" if change == "size" else b"{}\n")
    os.utime(path, ns=(0, 10**9 if change == "size" else 2 * 10**9))
    after = file_stamp(InputFile("a.jsonl", path))
    assert {key for key in before if before[key] != after[key]} == {change}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "at least one"),
        (["a.jsonl", Sample(content=("Axial.",))], "paths or samples"),
        ([{"content": "Axial."}], "input 0 must be a Sample, got dict"),
        (iter([Sample(content=("Axial.",)), "a.jsonl"]), "input 1 must be a Sample, got str"),
        ("none.jsonl", "no such file"),
    ],
)
def test_what_cannot_be_packed_is_named(tmp_path, inputs, message):
    with pytest.raises(InputError, match=message):
        take_in(inputs, tmp_path)
