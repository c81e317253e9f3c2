"""Reading: the packs that were written, or an error that names the place."""

import os
import pickle
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base.errors import FormatError, InputError
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


def test_the_hash_of_a_set_tells_its_packs_apart(tmp_path, some_packs, write_set):
    hashes = set()
    for number in range(3):
        write_set(tmp_path / str(number), some_packs[number:])
        with PackReader(tmp_path / str(number)) as reader:
            hashes.add(reader.content_hash)
        with PackReader(tmp_path / str(number) / "shard-00000.jsonl") as reader:
            hashes.add(reader.content_hash)
    assert len(hashes) == 6


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


@pytest.mark.parametrize("number", [12, -13, 10**12])
def test_numbers_out_of_range_are_index_errors(whole_set, number):
    with PackReader(whole_set.path) as reader, pytest.raises(IndexError):
        reader[number]


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
