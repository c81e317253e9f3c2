"""Batches: the same bits with any number of threads and after any stop, every pack once."""

import gc
import json
import pickle
import threading
import time
from collections import Counter
from copy import deepcopy
from itertools import product

import pytest
import torch
from tokenizers import Tokenizer

from packkit import PackReader, check_ledger
from packkit.base.errors import ChecksumError, FingerprintError, FormatError, InputError
from packkit.encoding import SampleEncoder
from packkit.loading import FILLER, LoaderOptions, PackLoader

PACKS = 23
SIZE = 16
THREADS = (0, 1, 2, 5)


def ids(batches):
    return Counter(pack for batch in batches for pack in batch.pack_ids.tolist() if pack != FILLER)


@pytest.fixture(scope="module")
def expected(make_loader, digest):
    """Digests of the batches of two epochs at (epoch, step, rank), made without threads."""
    digests = {}
    for rank in range(2):
        loader = make_loader(rank=rank, world_size=2, packs_per_step=5)
        for _ in range(2):
            for batch in loader:
                digests[batch.epoch, batch.step, rank] = digest(batch)
    return digests


@pytest.mark.parametrize("threads", THREADS)
def test_batches_are_the_same_bits_with_any_number_of_threads(
    make_loader, digest, expected, threads
):
    for rank in range(2):
        loader = make_loader(rank=rank, world_size=2, packs_per_step=5, threads=threads)
        assert len(loader) == 5
        for batch in (batch for _ in range(2) for batch in loader):
            assert digest(batch) == expected[batch.epoch, batch.step, rank]


@pytest.mark.parametrize(("threads", "stop"), list(product(THREADS, (1, 2, 4, 5))))
def test_batches_after_a_resume_are_the_same_bits(
    make_loader, digest, expected, take, threads, stop
):
    options = {"rank": 1, "world_size": 2, "packs_per_step": 5}
    first = make_loader(threads=threads, **options)
    last = take(first, stop)[-1]
    # As a checkpoint would keep it.
    state = json.loads(json.dumps(first.state_dict()))
    assert state == last.state
    second = make_loader(threads=5 - threads, **options)
    second.load_state_dict(state)
    batches = [*second, *second]
    assert batches[0].step == stop % 5
    for batch in batches:
        if batch.epoch < 2:
            assert digest(batch) == expected[batch.epoch, batch.step, 1]


WORLDS = (1, 2, 3, 4, 8)


@pytest.mark.parametrize(("before", "threads"), list(product(WORLDS, THREADS)))
def test_nothing_is_lost_or_repeated_over_a_change_of_ranks(make_loader, take, before, threads):
    for number, stop in enumerate(("first", "middle", "last", "edge")):
        after = WORLDS[(WORLDS.index(before) + number + 1) % len(WORLDS)]
        sizes = {"packs_per_step": before + 1, "world_size": before, "threads": threads}
        loaders = [make_loader(rank=rank, **sizes) for rank in range(before)]
        (length,) = {len(loader) for loader in loaders}
        steps = {"first": 1, "middle": length // 2, "last": length - 1, "edge": length}[stop]
        taken = [batch for loader in loaders for batch in take(loader, steps)]
        states = [loader.state_dict() for loader in loaders]
        assert all(state == states[0] for state in states)
        sizes = {"packs_per_step": after + 2, "world_size": after, "threads": 2}
        for rank in range(after):
            loader = make_loader(rank=rank, **sizes)
            loader.load_state_dict(states[0])
            if stop != "edge":
                taken += loader
        assert ids(taken) == Counter(range(PACKS))


def test_a_batch_is_what_the_encoder_and_the_packs_say(make_loader, packs, small_encoder):
    with PackReader(packs) as reader:
        for batch in make_loader(packs_per_step=2, threads=2):
            tokens, edges = batch.tokens, batch.cu_seqlens.tolist()
            samples = [
                sample
                for pack in batch.pack_ids.tolist()
                if pack != FILLER
                for sample in reader[pack].data
            ]
            assert batch.num_segments == len(samples)
            assert edges[-1] == tokens
            images = 0
            for sample, start, end in zip(samples, edges, edges[1:], strict=False):
                encoded = small_encoder.encode(sample)
                assert batch.input_ids[start:end].tolist() == encoded.input_ids.tolist()
                assert batch.labels[start:end].tolist() == encoded.labels.tolist()
                assert batch.position_ids[start:end].tolist() == list(range(end - start))
                for first, count in encoded.image_slots.tolist():
                    assert batch.image_slots[images].tolist() == [start + first, count]
                    images += 1
            assert images == len(batch.pixel_values)
            assert batch.num_targets == int((batch.labels != -100).sum())


def test_tokens_can_be_padded_for_compiled_graphs(make_loader):
    shapes = set()
    for batch in make_loader(packs_per_step=4, pad_to_multiple_of=8192, max_seqlen=2048):
        assert batch.tokens % 8192 == 0
        assert batch.max_seqlen == 2048
        assert int(torch.diff(batch.cu_seqlens).max()) <= 2048
        shapes.add(batch.tokens)
    assert shapes == {8192}


def test_a_loader_that_is_left_early_leaves_no_thread_behind(make_loader, take):
    loader = make_loader(threads=5)
    take(loader, 1)
    gc.collect()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("packkit-loader")]
    assert ids(loader) != Counter(range(PACKS))


def test_prefetched_batches_do_not_count_as_consumed(make_loader):
    loader = make_loader(threads=2, prefetch=4)
    batches = iter(loader)
    next(batches)
    time.sleep(0.2)
    assert loader.state_dict()["position"] == 4
    next(batches)
    assert loader.state_dict()["position"] == 8


def test_an_image_that_cannot_be_decoded_is_named_with_its_place(tmp_path, write_bad, make_loader):
    for threads in (0, 2):
        with pytest.raises(FormatError) as error:
            list(make_loader(packs=write_bad(tmp_path / f"bad-{threads}"), threads=threads))
        assert str(error.value).startswith('shard-00000.jsonl: pack 1: sample "1/bad": image 1: ')


@pytest.mark.parametrize("threads", [0, 2])
def test_a_bad_image_can_be_masked_with_its_whole_sample(tmp_path, write_bad, make_loader, threads):
    folder = write_bad(tmp_path / "bad")
    ledger = tmp_path / "ledger"
    loader = make_loader(
        packs=folder,
        packs_per_step=3,
        threads=threads,
        on_bad_image="mask",
        ledger=ledger,
        shuffle="none",
    )
    (batch,) = loader
    (line,) = batch.masked
    assert line.startswith('shard-00000.jsonl: pack 1: sample "1/bad": image 1: ')
    # Segments: that of pack 0, the good and the bad one of pack 1, that of pack 2.
    trained = [
        bool((batch.labels[batch.segment_ids == segment] != -100).any())
        for segment in range(1, batch.num_segments + 1)
    ]
    assert trained == [True, True, False, True]
    assert [bool(pixels.any()) for pixels in batch.pixel_values] == [True, True, True, False]
    assert check_ledger(ledger, [folder]).epochs[0].masked == 1


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("on_bad_image", ["raise", "mask"])
@pytest.mark.parametrize(
    "name",
    ["manifest.json", "shard-00001.index.arrow", "shard-00001.jsonl", "encoder/encoder.json"],
)
def test_a_flipped_byte_never_reaches_a_batch(
    tmp_path, write_packs, make_loader, digest, expected, name, on_bad_image
):
    folder = write_packs(tmp_path / "packs")
    good = (folder / name).read_bytes()
    for place in range(0, len(good), max(1, len(good) // 23)):
        (folder / name).write_bytes(good)
        flip(folder / name, place)
        with pytest.raises((FormatError, FingerprintError)) as error:
            list(make_loader(packs=folder, threads=2, on_bad_image=on_bad_image))
        if name.startswith("shard"):
            assert isinstance(error.value, ChecksumError)
            assert "shard-00001" in str(error.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"image_size": 8}, "image_size is 16 in the state, 8 here"),
        ({"decoder": "turbo"}, "decoder is 'pillow' in the state, 'turbo' here"),
        ({"seed": 4}, "seed is 0 in the state, 4 here"),
    ],
)
def test_a_state_of_other_pixels_is_refused(make_loader, change, named):
    state = make_loader().state_dict()
    with pytest.raises(FingerprintError) as error:
        make_loader(**change).load_state_dict(state)
    assert error.value.differences == (named,)


def test_a_state_of_other_packs_or_another_encoder_is_refused(
    tmp_path, write_packs, make_loader, tiny_tokenizer
):
    state = make_loader().state_dict()
    with pytest.raises(FingerprintError, match=r"packs\[0\] is .* in the state, .* here"):
        make_loader(packs=write_packs(tmp_path / "fewer", range(7))).load_state_dict(state)
    changed = deepcopy(tiny_tokenizer)
    changed["normalizer"] = {"type": "NFKC"}
    for options, part in (
        ({"tokenizer": changed, "image_tokens": 5}, "tokenizer_normalizer"),
        ({"tokenizer": tiny_tokenizer, "image_tokens": 6}, "image_tokens"),
        ({"tokenizer": tiny_tokenizer, "image_tokens": 5, "template": "chatml"}, "template"),
    ):
        tokenizer = Tokenizer.from_str(json.dumps(options.pop("tokenizer")))
        encoder = SampleEncoder(tokenizer, **options)
        with pytest.raises(FingerprintError, match=f"made with another encoder: {part} is"):
            make_loader(encoder=encoder)


def test_a_ledger_knows_what_a_resume_drops_before_its_first_step(
    tmp_path, packs, make_loader, take
):
    first = make_loader(packs_per_step=4, ledger=tmp_path)
    state = take(first, 5)[3].state
    # A fifth step is taken back. Of 23 packs 7 are left, too few for a step: the next epoch begins.
    second = make_loader(packs_per_step=8, tail="drop", ledger=tmp_path)
    second.load_state_dict(state)
    assert [batch.epoch for batch in second] == [1, 1]
    report = check_ledger(tmp_path, [packs])
    assert report.problems == []
    assert [(epoch.packs, epoch.dropped) for epoch in report.epochs] == [(16, 7), (16, 7)]


@pytest.mark.parametrize("options", [{"threads": -1}, {"prefetch": 0}])
def test_options_that_make_no_sense_are_refused(make_loader, options):
    with pytest.raises(InputError, match=next(iter(options))):
        make_loader(**options)


def test_shares_come_as_a_mapping(packs, write_packs, tmp_path, make_loader):
    other = write_packs(tmp_path / "other", range(100, 109))
    loader = make_loader(packs={str(packs): 1, str(other): 2}, packs_per_step=1)
    taken = [pack for batch in loader for pack in batch.pack_ids.tolist()]
    assert (sum(p < PACKS for p in taken), sum(p >= PACKS for p in taken)) == (4, 9)


def test_shares_given_twice_are_refused(packs, write_packs, tmp_path, make_loader):
    other = write_packs(tmp_path / "other", range(100, 109))
    shares = {str(packs): 1, str(other): 2}
    with pytest.raises(InputError, match=r"shares must not be given .* got \[3, 1\] and \[1, 2\]"):
        make_loader(packs=shares, packs_per_step=1, shares=[3, 1])


def test_options_come_as_keywords_or_as_one_object(packs, make_loader, digest):
    options = LoaderOptions(packs_per_step=4, threads=0, image_size=SIZE, seed=5)
    expected = [digest(batch) for batch in make_loader(seed=5)]
    assert [digest(batch) for batch in PackLoader(packs, options)] == expected
    changed = PackLoader(packs, options, seed=6)
    assert changed.options == LoaderOptions(packs_per_step=4, threads=0, image_size=SIZE, seed=6)
    assert [digest(batch) for batch in changed] != expected


def test_unknown_options_are_named(packs):
    with pytest.raises(TypeError, match="shufle"):
        PackLoader(packs, packs_per_step=4, shufle="none")
    with pytest.raises(TypeError, match="packs_per_step"):
        PackLoader(packs)


def test_a_dataset_can_be_pickled_to_a_spawned_worker(dataset):
    copy = pickle.loads(pickle.dumps(dataset))
    original, copied = dataset[3], copy[3]
    assert original.tokens.input_ids.tolist() == copied.tokens.input_ids.tolist()
    assert (original.pixel_values == copied.pixel_values).all()
    assert copy.fingerprint == dataset.fingerprint


def test_a_loader_needs_packs(tmp_path):
    with pytest.raises(FormatError, match="holds neither"):
        PackLoader(tmp_path, packs_per_step=1)
    with pytest.raises(InputError, match="different pack sets"):
        PackLoader([], packs_per_step=1)
