"""Several sets read as one."""

import json
import shutil
from dataclasses import replace

import pytest
from tokenizers import Tokenizer

from packkit.base.errors import FingerprintError, FormatError, InputError
from packkit.encoding import SampleEncoder
from packkit.loading import FILLER, PackDataset, PackSampler
from packkit.samples import Pack, Sample
from packkit.shards import MANIFEST, Manifest, PackReader, PackWriter

PACKS = 23


@pytest.fixture
def other(write_packs, tmp_path):
    return write_packs(tmp_path / "other", range(100, 104))


def test_packs_are_numbered_one_set_after_another(packs, other):
    sets = PackDataset([packs, other]).sets
    assert len(sets) == PACKS + 4
    for pack, path, number in ((0, packs, 0), (22, packs, 22), (23, other, 0), (26, other, 3)):
        reader, place = sets.find(pack)
        assert (reader.path, place) == (path, number)


def test_places_are_the_packs_shard_by_shard(packs, other):
    first, second = PackDataset([packs, other]).sets.places("train", 0.0)
    assert first.packs.tolist() == list(range(PACKS))
    assert second.packs.tolist() == list(range(PACKS, PACKS + 4))
    with PackReader(packs) as reader:
        starts = [reader.first_pack(shard) for shard in range(reader.shards)]
    assert first.shard_starts.tolist() == [*starts, PACKS]
    assert len(starts) > 3


def test_places_of_a_split_keep_to_their_shards(packs):
    sets = PackDataset(packs).sets
    (whole,) = sets.places("train", 0.0)
    for split in ("train", "validation"):
        (some,) = sets.places(split, 0.4)
        shards = zip(some.shard_starts[:-1], some.shard_starts[1:], strict=True)
        edges = zip(whole.shard_starts[:-1], whole.shard_starts[1:], strict=True)
        for (start, stop), (low, high) in zip(shards, edges, strict=True):
            assert all(low <= pack < high for pack in some.packs[start:stop])


def test_costs_are_images_and_squares_of_lengths(packs, dataset):
    with PackReader(packs) as reader:
        expected = [
            [sum(len(s.images) for s in pack.data), sum(length**2 for length in pack.lengths)]
            for pack in (reader[3], reader[9])
        ]
    assert dataset.sets.costs([3, 9, FILLER]).tolist() == [*expected, [0, 0]]


def test_sets_of_different_encoders_are_refused_with_what_differs(
    packs, write_packs, tmp_path, tiny_tokenizer
):
    tokenizer = Tokenizer.from_str(json.dumps(tiny_tokenizer))
    chatml = SampleEncoder(tokenizer, image_tokens=5, template="chatml")
    sample = Sample(content=("Nothing to see.",))
    with PackWriter(tmp_path / "chatml", encoder=chatml) as writer:
        writer.write(Pack((sample,), (chatml.length(sample),)))
    with pytest.raises(FingerprintError, match="made with another encoder: template is 'chatml'"):
        PackDataset([packs, tmp_path / "chatml"])


def test_a_set_named_twice_is_refused(packs):
    with pytest.raises(InputError, match="different pack sets"):
        PackDataset([packs, packs.parent / "." / packs.name])


def test_a_number_of_packs_that_no_index_bears_out_sizes_no_memory(packs, tmp_path):
    # As a forger would leave it: the checksum is right.
    out = shutil.copytree(packs, tmp_path / "packs")
    manifest = Manifest.read(out)
    claimed = replace(manifest.shards[1], packs=10**13)
    shards = [manifest.shards[0], claimed, *manifest.shards[2:]]
    total = sum(entry.packs for entry in shards)
    (out / MANIFEST).write_bytes(replace(manifest, shards=shards, packs=total).to_json())
    dataset = PackDataset(out)
    with pytest.raises(FormatError, match=r"has . packs, the manifest says 10{13}"):
        PackSampler(dataset, packs_per_step=4)
