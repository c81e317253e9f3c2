"""The encoder of a set: kept whole, compared with a user's own, and counting what others wrote."""

import pytest

from packkit.base.errors import ChecksumError, FingerprintError, FormatError
from packkit.samples import Pack
from packkit.shards import PackReader


@pytest.mark.parametrize("name", ["tokenizer.json", "encoder.json"])
def test_a_flipped_byte_in_the_encoder_is_found(whole_set, name):
    path = whole_set.path / "encoder" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with PackReader(whole_set.path) as reader, pytest.raises(ChecksumError, match=name):
        reader.load_encoder()


def test_another_encoder_is_refused(whole_set, encoder):
    with PackReader(whole_set.path, encoder=whole_set.encoder) as reader:
        assert reader.load_encoder().fingerprint == whole_set.encoder.fingerprint
    with pytest.raises(FingerprintError, match="image_tokens"):
        PackReader(whole_set.path, encoder=encoder)


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


def test_a_foreign_sample_that_cannot_be_trained_on_is_named(tmp_path, small_encoder):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b'{"data":[{"messages":[{"role":"user","content":"a"}]}],"lengths":[9]}\n')
    with (
        pytest.warns(UserWarning, match="counted again"),
        PackReader(path, encoder=small_encoder) as reader,
        pytest.raises(FormatError, match=r"packs\.jsonl: pack 0: no_targets"),
    ):
        reader[0]
