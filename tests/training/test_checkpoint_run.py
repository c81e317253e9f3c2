"""What a checkpoint says of itself is taken as it was written, or refused."""

import os

import orjson
import pytest

from packkit.base.errors import CheckpointError, ChecksumError, FormatError
from packkit.shards.manifest import with_checksum
from packkit.training.checkpoint_run import CheckpointInfo, check_files, read_run, write_run

INFO = CheckpointInfo(3, {"position": 6}, {"model": {"image_tokens": 4}})


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of two files."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "a").write_bytes(b"a" * 100)
    (tmp_path / "b").write_bytes(b"b")
    write_run(tmp_path, INFO)
    return tmp_path


def test_it_comes_back_with_the_checksum_of_every_file(folder):
    info, checksums = read_run(folder)
    assert info == INFO
    assert info.image_tokens == 4
    assert checksums.keys() == {"state/a", "b"}
    check_files(folder, checksums)


def test_ranks_read_a_share_of_the_files_each(folder):
    _, checksums = read_run(folder)
    (folder / "b").write_bytes(b"c")
    # The second file in the order of their names.
    check_files(folder, checksums, first=1, stride=2)
    with pytest.raises(OSError, match="b is damaged"):
        check_files(folder, checksums, first=0, stride=2)


def test_every_bit_of_it_is_checked(folder):
    path = folder / "run.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(FormatError, match=r"run\.json: "):
            read_run(folder)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda run: orjson.dumps({**orjson.loads(run), "format_version": 1}),
            FormatError,
            "format_version must be 2, got 1: go on with the packkit that wrote it",
        ),
        (
            lambda run: orjson.dumps({**orjson.loads(run), "step": 4}),
            ChecksumError,
            "its checksum differs",
        ),
        (lambda run: run[:-9], FormatError, "must hold what a checkpoint says of itself"),
        (lambda run: b'{"step": 1}', FormatError, "says of itself: KeyError"),
        (lambda run: b"[]", FormatError, "says of itself: TypeError"),
    ],
)
def test_one_that_does_not_fit_is_refused(folder, change, kind, message):
    path = folder / "run.json"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(kind, match=rf"run\.json: .*{message}"):
        read_run(folder)


def test_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"run\.json: cannot read it: No such file"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("step", value) for value in (-1, 1.5, True, "3", None, [], 1 << 60)),
        *(("files", value) for value in (None, [], 5, "a", {"b": 5}, {"b": "0"})),
        *(("recipe", value) for value in (None, "a", {}, {"model": {"image_tokens": "4"}})),
        *(("loader", value) for value in (None, [], 5)),
    ],
)
def test_forged_values_are_refused_by_field(folder, field, value):
    fields = orjson.loads((folder / "run.json").read_bytes())
    del fields["checksum"]
    (folder / "run.json").write_bytes(with_checksum({**fields, field: value}))
    with pytest.raises(FormatError, match=rf"run\.json: {field} must be "):
        read_run(folder)


def test_only_regular_files_are_read(folder):
    _, checksums = read_run(folder)
    for make in (os.mkfifo, lambda path: os.symlink(folder / "b", path)):
        make(folder / "state" / "more")
        with pytest.raises(CheckpointError, match="state/more is no regular file"):
            check_files(folder, checksums)
        (folder / "state" / "more").unlink()
