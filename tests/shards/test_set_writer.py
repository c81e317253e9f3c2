"""PackWriter: a whole set, or none."""

import orjson
import pytest

from packkit.base.errors import FormatError, OutputExistsError, SampleError
from packkit.samples import Pack, Sample
from packkit.shards import MANIFEST, PackReader, PackWriter, verify_packs


@pytest.mark.parametrize("storage", ["shards", "files"])
@pytest.mark.parametrize("with_encoder", [True, False])
def test_what_is_written_is_a_sound_set(
    tmp_path, some_packs, small_encoder, read_all, storage, with_encoder
):
    encoder = small_encoder if with_encoder else None
    with PackWriter(
        tmp_path, capacity=500, encoder=encoder, shard_size=5000, storage=storage
    ) as writer:
        for pack in some_packs:
            writer.write(pack)
    assert read_all(tmp_path) == some_packs
    assert verify_packs(tmp_path, deep=with_encoder).problems == []
    manifest = PackReader(tmp_path).manifest
    assert len(manifest.shards) > 2
    assert all(entry.bytes < 5000 + 40_000 for entry in manifest.shards)
    assert manifest.capacity == 500
    assert manifest.samples_read == sum(len(pack.data) for pack in some_packs)
    assert manifest.efficiency == sum(pack.tokens for pack in some_packs) / (12 * 500)
    assert manifest.encoder == (orjson.loads(orjson.dumps(encoder.describe())) if encoder else None)


def test_image_tokens_are_unknown_without_an_encoder_and_zero_past_the_cut(
    tmp_path, some_packs, small_encoder
):
    for name, encoder in (("with", small_encoder), ("without", None)):
        with PackWriter(tmp_path / name, encoder=encoder) as writer:
            writer.write(some_packs[5])
    tokens = [
        PackReader(tmp_path / name).index(0).image.tokens.tolist() for name in ("with", "without")
    ]
    cut = [9, 0]
    assert tokens[0] == cut * len(some_packs[5].data)
    assert tokens[1] == [-1] * len(tokens[0])


def test_it_is_not_a_set_before_it_is_closed(tmp_path, some_packs):
    writer = PackWriter(tmp_path, shard_size=1)
    writer.write(some_packs[0])
    with pytest.raises(FormatError, match=r"no manifest\.json"):
        PackReader(tmp_path)
    writer.close()
    assert len(PackReader(tmp_path)) == 1


def test_an_error_leaves_no_set(tmp_path, some_packs):
    def fail():
        with PackWriter(tmp_path) as writer:
            writer.write(some_packs[0])
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_wrong_length_is_refused_with_both_numbers(tmp_path, some_packs, small_encoder):
    right = some_packs[0].lengths[0]
    wrong = Pack(some_packs[0].data, (right + 1, *some_packs[0].lengths[1:]))
    with PackWriter(tmp_path, encoder=small_encoder) as writer:
        with pytest.raises(FormatError, match=rf"length {right + 1}, the encoder counts {right}"):
            writer.write(wrong)
        writer.write(some_packs[0])


def test_a_pack_over_the_capacity_is_refused(tmp_path):
    caption = Sample(content=("text",))
    with PackWriter(tmp_path, capacity=10) as writer:
        with pytest.raises(FormatError, match="11 tokens, capacity 10"):
            writer.write(Pack((caption, caption), (5, 6)))
        writer.write(Pack((caption, caption), (5, 5)))


def test_an_image_without_a_readable_header_is_refused(tmp_path):
    sample = Sample(content=(None, "text"), images=(b"GIF89a",))
    with PackWriter(tmp_path) as writer, pytest.raises(SampleError, match="invalid_image"):
        writer.write(Pack((sample,), (5,)))


def test_a_whole_set_is_never_overwritten(whole_set, some_packs):
    before = (whole_set.path / MANIFEST).read_bytes()
    with pytest.raises(OutputExistsError, match="already holds a pack set"):
        PackWriter(whole_set.path)
    assert (whole_set.path / MANIFEST).read_bytes() == before


def test_shards_of_a_run_that_did_not_finish_are_not_mixed_in(tmp_path, some_packs):
    writer = PackWriter(tmp_path, shard_size=1)
    for pack in some_packs[:3]:
        writer.write(pack)
    with pytest.raises(OutputExistsError, match="shard"):
        PackWriter(tmp_path)


def test_a_set_without_packs_is_whole(tmp_path):
    with PackWriter(tmp_path):
        pass
    assert len(PackReader(tmp_path)) == 0
    assert list(PackReader(tmp_path)) == []
    assert verify_packs(tmp_path).problems == []


@pytest.mark.parametrize("name", ["rejects.jsonl", "encoder", "run.json", ".work"])
def test_nothing_that_was_there_is_written_over(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(OutputExistsError, match=f"holds {name}"):
        PackWriter(tmp_path)
