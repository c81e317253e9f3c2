"""Reading: the packs that were written, or an error that names the place."""

import dataclasses
import os
import pickle
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import orjson
import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import ChecksumError, FormatError, InputError
from packkit.images import image_size
from packkit.samples import Pack, Sample
from packkit.shards import PackReader, PackWriter

_STORAGES = ["shards", "files"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("storage", _STORAGES)
def test_packs_and_images_come_back(tmp_path_factory, random_packs, write_set, storage, data):
    packs = data.draw(random_packs)
    out = tmp_path_factory.mktemp("set")
    write_set(out, packs, storage=storage, capacity=2**31)
    with PackReader(out) as reader:
        assert len(reader) == len(packs)
        assert list(reader) == packs
        for number, pack in enumerate(packs):
            assert reader[number] == reader[number - len(packs)] == pack
            assert orjson.loads(reader.line(number)) == orjson.loads(orjson.dumps(pack.to_dict()))
            for place, sample in enumerate(pack.data):
                for image, expected in enumerate(sample.images):
                    assert reader.image(number, place, image) == expected


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


def test_the_hash_of_a_set_tells_its_packs_apart(tmp_path, some_packs, write_set):
    hashes = set()
    for number in range(3):
        write_set(tmp_path / str(number), some_packs[number:])
        with PackReader(tmp_path / str(number)) as reader:
            hashes.add(reader.content_hash)
        with PackReader(tmp_path / str(number) / "shard-00000.jsonl") as reader:
            hashes.add(reader.content_hash)
    assert len(hashes) == 6


@pytest.mark.parametrize("name", ["tokenizer.json", "encoder.json"])
def test_a_flipped_byte_in_the_encoder_is_found(whole_set, name):
    path = whole_set.path / "encoder" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with PackReader(whole_set.path) as reader, pytest.raises(ChecksumError, match=name):
        reader.load_encoder()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_bare_file_reads_the_same_with_and_without_its_index(
    tmp_path_factory, random_packs, write_set, read_all, data
):
    packs = data.draw(random_packs)[:5]
    out = tmp_path_factory.mktemp("set")
    write_set(out, packs)
    for path in out.glob("*.jsonl"):
        if path.name.startswith("shard"):
            assert read_all(path) == packs
            path.with_suffix(".index.arrow").unlink()
            assert read_all(path) == packs


def test_what_other_writers_of_json_lines_do_is_read(tmp_path, some_packs, read_all):
    records = [pack.to_dict() for pack in some_packs[:3]]
    # Other keys first, spaces, line ends of Windows, a blank line, no line end at the end.
    swapped = [{"lengths": r["lengths"], "version": [1, 2], "data": r["data"]} for r in records]
    spaced = [orjson.dumps(r).replace(b'","', b'" , "') for r in swapped]
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b"\r\n".join([spaced[0], spaced[1], b"", spaced[2]]))
    assert read_all(path) == some_packs[:3]
    with PackReader(path) as reader:
        assert reader.image(2, 0, 1) == some_packs[2].data[0].images[1]


@pytest.mark.parametrize("number", [12, -13, 10**12])
def test_numbers_out_of_range_are_index_errors(whole_set, number):
    with PackReader(whole_set.path) as reader, pytest.raises(IndexError):
        reader[number]


@pytest.mark.parametrize("place", [(12, 0, 0), (0, 1, 0), (0, 0, 2), (0, -2, 0), (0, 0, -3)])
def test_images_out_of_range_are_index_errors(whole_set, place):
    with PackReader(whole_set.path) as reader, pytest.raises(IndexError):
        reader.image(*place)


def test_it_is_a_pack_set(whole_set):
    reader = PackReader(whole_set.path)
    assert len(reader) == 12


def test_flat_arrays_cover_the_set(whole_set):
    with PackReader(whole_set.path) as reader:
        lengths = [length for pack in whole_set.packs for length in pack.lengths]
        assert reader.lengths.tolist() == lengths
        images = [index.image for index in map(reader.index, range(reader.shards))]
        tokens = [tokens for image in images for tokens in image.tokens.tolist()]
        assert len(tokens) == sum(len(s.images) for pack in whole_set.packs for s in pack.data)


def test_indexes_are_opened_when_they_are_needed(whole_set):
    for name in ("shard-00000", "shard-00002"):
        (whole_set.path / f"{name}.index.arrow").unlink()
    with PackReader(whole_set.path) as reader:
        assert len(reader) == 12
        assert reader[7] == whole_set.packs[7]
        with pytest.raises(FormatError, match=r"shard-00000\.index\.arrow"):
            reader[0]


def test_a_pickled_reader_reads(whole_set):
    with PackReader(whole_set.path) as reader:
        reader[0]
        with pickle.loads(pickle.dumps(reader)) as copy:
            assert list(copy) == whole_set.packs
        assert list(reader) == whole_set.packs


@pytest.mark.parametrize("storage", _STORAGES)
def test_threads_share_a_reader(tmp_path, some_packs, write_set, storage):
    write_set(tmp_path / "packs", some_packs, storage=storage)
    with PackReader(tmp_path / "packs") as reader, ThreadPoolExecutor(8) as threads:
        numbers = [number % 12 for number in range(600)]
        for number, pack in zip(numbers, threads.map(reader.__getitem__, numbers), strict=True):
            assert pack == some_packs[number]


def test_a_fork_reads_and_leaves_the_parent_alone(whole_set):
    with PackReader(whole_set.path) as reader:
        first = reader[0]
        child = os.fork()
        if not child:
            try:
                is_same = list(reader) == whole_set.packs
                reader.close()
            finally:
                os._exit(0 if is_same else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert reader[0] == first


def test_more_shards_than_a_process_may_keep_open(tmp_path, some_packs, read_all):
    with PackWriter(tmp_path, shard_size=1) as writer:
        for _ in range(8):
            for pack in some_packs:
                writer.write(pack)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 80, hard))
    try:
        assert read_all(tmp_path) == some_packs * 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_closed_reader_refuses(whole_set):
    reader = PackReader(whole_set.path)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader[0]


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


def test_reading_a_set_loads_neither_numba_nor_torch(whole_set):
    code = """if True:
        import sys
        from packkit.shards import PackReader
        with PackReader(sys.argv[1]) as reader:
            reader[0], reader.image(0, 0, 0)
        print({"numba", "torch", "transformers", "PIL"} & sys.modules.keys())
    """
    command = [sys.executable, "-c", code, str(whole_set.path)]
    assert subprocess.check_output(command, text=True) == "set()\n"


def test_a_foreign_sample_that_cannot_be_trained_on_is_named(tmp_path, small_encoder):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b'{"data":[{"messages":[{"role":"user","content":"a"}]}],"lengths":[9]}\n')
    with (
        pytest.warns(UserWarning, match="counted again"),
        PackReader(path, encoder=small_encoder) as reader,
        pytest.raises(FormatError, match=r"packs\.jsonl: pack 0: no_targets"),
    ):
        reader[0]


def test_a_set_for_a_larger_capacity_is_refused(whole_set):
    with PackReader(whole_set.path) as reader:
        assert reader.capacity == 4096
    with pytest.raises(InputError, match=r"at least the 4096 .*, got 4095; pack the data again"):
        PackReader(whole_set.path, capacity=4095)


def test_real_images_come_back_unchanged(tmp_path, read_all):
    spec = find_spec("skimage")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    files = [
        folder / name for name in ("retina.jpg", "ihc.png", "rocket.jpg", "microaneurysms.png")
    ]
    originals = tuple(path.read_bytes() for path in files)
    sample = Sample(content=(None,) * len(files), images=originals)
    with PackWriter(tmp_path) as writer:
        writer.write(Pack((sample,), (600,)))
    with PackReader(tmp_path) as reader:
        assert reader[0].data[0].images == originals
        assert tuple(reader.image(0, 0, number) for number in range(len(files))) == originals
        image = reader.index(0).image
        sizes = list(zip(image.width.tolist(), image.height.tolist(), strict=True))
        assert sizes == [(1411, 1411), (512, 512), (640, 427), (102, 102)]
    assert sys.modules.get("skimage.data") is None
