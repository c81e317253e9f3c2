"""One shard: its packs and images by byte range, or an error that names the image, pack or file."""

import dataclasses
import os
from dataclasses import replace

import numpy as np
import orjson
import pybase64
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import ChecksumError, FormatError
from packkit.images import image_size
from packkit.shards import MANIFEST, PackReader, PackWriter, ShardIndex

_STORAGES = ["shards", "files"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("storage", _STORAGES)
def test_lazy_packs_are_the_same_once_their_images_are_read(
    tmp_path_factory, random_packs, write_set, storage, data
):
    packs = data.draw(random_packs)
    out = tmp_path_factory.mktemp("set")
    write_set(out, packs, storage=storage, capacity=2**31)
    with PackReader(out) as reader:
        for number, pack in enumerate(packs):
            lazy, sizes = reader.lazy(number), reader.image_sizes(number)
            assert lazy.lengths == pack.lengths
            for sample, expected, own_sizes in zip(lazy.data, pack.data, sizes, strict=True):
                images = [sample.image_bytes(image) for image in range(len(sample.images))]
                assert dataclasses.replace(sample, images=tuple(images)) == expected
                assert own_sizes == list(map(image_size, expected.images))


@pytest.mark.parametrize("place", [(12, 0, 0), (0, 1, 0), (0, 0, 2), (0, -2, 0), (0, 0, -3)])
def test_images_out_of_range_are_index_errors(whole_set, place):
    with PackReader(whole_set.path) as reader, pytest.raises(IndexError):
        reader.image(*place)


def test_the_parser_of_json_sees_no_base64(whole_set, monkeypatch):
    seen = []
    parse = orjson.loads

    def watched(text):
        seen.append(bytes(text))
        return parse(text)

    with PackReader(whole_set.path) as reader:
        reader.index(0)
        monkeypatch.setattr("packkit.shards.pack_json.orjson.loads", watched)
        reader.image(0, 0, 0)
        assert seen == []
        pack = reader[0]
        (text,) = seen
        images = [image for sample in pack.data for image in sample.images]
        assert images and not any(pybase64.b64encode(image) in text for image in images)


def test_without_a_manifest_every_image_has_its_own_checksum_compared(tmp_path, some_packs):
    with PackWriter(tmp_path / "set") as writer:
        for pack in some_packs:
            writer.write(pack)
    shard = tmp_path / "set" / "shard-00000.jsonl"
    # Nothing vouches for this index: what it says of an image is compared with the image.
    with PackReader(shard) as reader:
        index = reader.index(0)
        wrong = index.image._replace(checksum=index.image.checksum ^ np.uint64(1))
        object.__setattr__(index, "image", wrong)
        with pytest.raises(ChecksumError, match="image 0: its bytes are not those written"):
            reader.lazy(0).data[0].image_bytes(0)


def test_a_flipped_byte_of_a_lazy_pack_is_found_before_any_image(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    good = path.read_bytes()
    for place in range(0, len(good), 97):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        if good[place] == ord("\n"):
            continue
        with (
            PackReader(whole_set.path) as reader,
            pytest.raises(ChecksumError, match="shard-00001"),
        ):
            for number in range(5, 10):
                reader.lazy(number)


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


def test_an_image_that_cannot_be_read_is_named(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    with PackReader(whole_set.path) as reader:
        number = len(whole_set.packs[9].data) - 1
        row = reader.index(1).images_of(4).stop - 1
        os.truncate(path, int(reader.index(1).image.offset[row]) + 3)
        place = rf"^shard-00001\.jsonl: pack 4: sample {number}: image 1: its file ends at byte"
        with pytest.raises(FormatError, match=place):
            reader.image(9, number, 1)


def test_a_folder_in_place_of_a_file_is_named(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    path.unlink()
    path.mkdir()
    with PackReader(whole_set.path) as reader:
        place = r"^shard-00001\.jsonl: pack 0: .*its file cannot be read \("
        for read in (reader.__getitem__, reader.lazy, reader.line):
            with pytest.raises(FormatError, match=place):
                read(5)
        with pytest.raises(FormatError, match=place):
            reader.image(5, 0, 0)


@pytest.mark.parametrize(
    ("field", "rule"), [("samples", "samples, . in its index"), ("packs", "has 2 packs")]
)
def test_an_index_of_other_packs_is_refused(whole_set, build_index, field, rule):
    # As a forger would leave it: every checksum is right.
    entry = whole_set.manifest.shards[1]
    path = whole_set.path / f"{entry.name}.index.arrow"
    index = ShardIndex.open(path)
    rows = [index.row(number) for number in range(len(index))]
    rows[2] = rows[2]._replace(samples=rows[2].samples * 2)
    data = build_index(rows if field == "samples" else rows[:2])
    path.write_bytes(data)
    forged = replace(entry, index_checksum=xxhash.xxh3_64_hexdigest(data))
    shards = [whole_set.manifest.shards[0], forged, whole_set.manifest.shards[2]]
    (whole_set.path / MANIFEST).write_bytes(replace(whole_set.manifest, shards=shards).to_json())
    with PackReader(whole_set.path) as reader:
        for read in (reader.__getitem__, reader.lazy):
            with pytest.raises(FormatError, match=rf"shard-00001\..*{rule}"):
                read(7)


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
