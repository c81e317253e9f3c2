"""Reading what is damaged, foreign or no pack set: an error that names the place."""

import os

import pytest

from packkit.base.errors import ChecksumError, FingerprintError, FormatError
from packkit.samples import Pack, Sample
from packkit.shards import MANIFEST, PackReader


def damage(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_a_damaged_image_is_named(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    with PackReader(whole_set.path) as reader:
        index = reader.index(1)
        second = index.images_of(2).start + 1
        damage(path, int(index.image.offset[second]) + 4)
        name = whole_set.packs[7].data[0].id
        place = rf'^shard-00001\.jsonl: pack 2: sample "{name}": image 1: '
        with pytest.raises(ChecksumError, match=place):
            reader[7]
        with pytest.raises(ChecksumError, match=place):
            reader.image(7, 0, 1)
        assert reader.image(7, 0, 0) == whole_set.packs[7].data[0].images[0]
        assert reader[6] == whole_set.packs[6]


def test_damaged_text_is_named(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    damage(path, path.read_bytes().index(b"none"))
    with PackReader(whole_set.path) as reader:
        with pytest.raises(ChecksumError, match=r"^shard-00001\.jsonl: pack 0: "):
            reader[5]
        with pytest.raises(ChecksumError):
            reader.line(5)
    with PackReader(whole_set.path, verify=False) as reader:
        assert reader[5] != whole_set.packs[5]


def test_a_file_cut_short_is_named(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    os.truncate(path, path.stat().st_size - 5)
    for verify in (True, False):
        with PackReader(whole_set.path, verify=verify) as reader:
            with pytest.raises(FormatError, match=r"^shard-00001\.jsonl: pack 4: its file ends"):
                reader[9]
            assert reader[8] == whole_set.packs[8]


def test_a_missing_shard_is_named(whole_set):
    (whole_set.path / "shard-00001.jsonl").unlink()
    with (
        PackReader(whole_set.path) as reader,
        pytest.raises(FormatError, match=r"shard-00001\.jsonl"),
    ):
        reader[5]


def test_a_damaged_index_is_refused_when_it_is_opened(whole_set):
    path = whole_set.path / "shard-00001.index.arrow"
    damage(path, path.stat().st_size // 2)
    with PackReader(whole_set.path) as reader:
        assert reader[0] == whole_set.packs[0]
        with pytest.raises(ChecksumError, match=r"shard-00001\.index\.arrow"):
            reader[5]


def test_a_shard_changed_since_its_bare_index_was_made_is_noticed(whole_set, read_all):
    path = whole_set.path / "shard-00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[::-1]))
    os.utime(path, ns=(0, path.with_suffix(".index.arrow").stat().st_mtime_ns + 10**9))
    assert read_all(path) == whole_set.packs[4::-1]


def test_open_qwen2vl_packs_are_read(foreign_folder, images):
    with PackReader(foreign_folder) as reader:
        assert reader.manifest is None
        # By name: tar0/0, tar0/2, tar1/1, tar1/3.
        assert [len(pack.data) for pack in reader] == [1, 3, 2, 4]
        caption = Sample(id="00000", content=(None, 'caption "0"'), images=(images[0],))
        expected = Pack((caption,), (150,))
        first = reader[0]
        assert first.lengths == expected.lengths
        assert (first.data[0].content, first.data[0].images) == (caption.content, caption.images)
        assert first.data[0].id == "00000"
        assert reader.image(3, 2, 0) == images[2]
        assert reader.line(1) == (foreign_folder / "tar0/2f3a_packed.json").read_bytes()


def test_foreign_lengths_are_counted_again_and_that_is_said_once(
    foreign_folder, small_encoder, recwarn
):
    with PackReader(foreign_folder, encoder=small_encoder) as reader:
        packs = list(reader)
    assert len([w for w in recwarn if "counted again" in str(w.message)]) == 1
    recwarn.clear()
    for pack in packs:
        assert list(pack.lengths) == [small_encoder.length(sample) for sample in pack.data]


def test_lengths_of_a_set_without_an_encoder_are_counted_again(
    tmp_path, some_packs, small_encoder, write_set
):
    wrong = [Pack(pack.data, (1,) * len(pack.data)) for pack in some_packs]
    write_set(tmp_path / "packs", wrong)
    with (
        pytest.warns(UserWarning, match="counted again"),
        PackReader(tmp_path / "packs", encoder=small_encoder) as reader,
    ):
        assert list(reader) == some_packs


def test_a_foreign_pack_over_the_capacity_names_the_way_out(foreign_folder, small_encoder):
    with (
        pytest.warns(UserWarning, match="counted again"),
        PackReader(foreign_folder, encoder=small_encoder, capacity=80) as reader,
    ):
        assert reader[0].tokens <= 80
        with pytest.raises(FormatError, match=r"3f3a_packed\.json.*capacity 80.*pack the data"):
            reader[3]


def test_another_encoder_is_refused(whole_set, encoder):
    with PackReader(whole_set.path, encoder=whole_set.encoder) as reader:
        assert reader.load_encoder().fingerprint == whole_set.encoder.fingerprint
    with pytest.raises(FingerprintError, match="image_tokens"):
        PackReader(whole_set.path, encoder=encoder)


@pytest.mark.parametrize("name", ["nothing", "empty", "text.jsonl"])
def test_what_holds_no_packs_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(FormatError, match=name):
        PackReader(tmp_path / name)


def test_a_set_without_its_manifest_is_not_read_as_something_else(whole_set):
    (whole_set.path / MANIFEST).unlink()
    with pytest.raises(FormatError, match=r"manifest\.json"):
        PackReader(whole_set.path)
