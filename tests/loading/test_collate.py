"""A batch equals what a loop over single tokens makes of its packs."""

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.loading import FILLER, IGNORED, LoadedPack, collate_for_transformers, collate_packs
from packkit.loading.collate import Masked, PackTokens

SIZE = 3


@st.composite
def loaded_packs(draw):
    """A pack of random samples, with images in their slots and samples to ignore; or a filler."""
    lengths = draw(st.lists(st.integers(1, 9), max_size=4))
    total = sum(lengths)
    tokens = st.integers(0, 2**31 - 1)
    ids = draw(st.lists(tokens, min_size=total, max_size=total))
    labels = [draw(st.sampled_from([IGNORED, token])) for token in ids]
    slots = []
    for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False):
        if length > 1 and draw(st.booleans()):
            slots.append((int(start) + 1, draw(st.integers(1, length - 1))))
    masked = draw(st.sets(st.integers(0, len(lengths) - 1))) if lengths else set()
    return LoadedPack(
        PackTokens(
            draw(st.integers(0, 10**9)) if lengths else FILLER,
            np.array(ids, np.int32),
            np.array(labels, np.int32),
            np.array(lengths, np.int64),
            np.array(slots, np.int32).reshape(-1, 2),
        ),
        np.full((len(slots), 3, SIZE, SIZE), draw(st.integers(0, 255)), np.uint8),
        tuple(
            Masked(sample, f"sample {sample} image {image}")
            for sample in sorted(masked)
            for image in range(draw(st.integers(1, 2)))
        ),
    )


def naive(packs, multiple, max_seqlen):
    """The fields of a batch, token by token."""
    fields = {name: [] for name in ("input_ids", "labels", "position_ids", "segment_ids", "slots")}
    edges, segment = [0], 0
    for pack in packs:
        start = len(fields["input_ids"])
        ignored = {masked.sample for masked in pack.masked}
        ids, labels = iter(pack.tokens.input_ids.tolist()), iter(pack.tokens.labels.tolist())
        fields["slots"] += [[start + first, n] for first, n in pack.tokens.image_slots.tolist()]
        for sample, length in enumerate(pack.tokens.lengths.tolist()):
            segment += 1
            for position in range(length):
                fields["input_ids"].append(next(ids))
                label = next(labels)
                fields["labels"].append(IGNORED if sample in ignored else label)
                fields["position_ids"].append(position)
                fields["segment_ids"].append(segment)
            edges.append(len(fields["input_ids"]))
    position = 0
    while not fields["input_ids"] or len(fields["input_ids"]) % (multiple or 1):
        if position == max_seqlen:
            edges.append(len(fields["input_ids"]))
            position = 0
        for name, value in (("input_ids", 0), ("labels", IGNORED), ("segment_ids", 0)):
            fields[name].append(value)
        fields["position_ids"].append(position)
        position += 1
    if position:
        edges.append(len(fields["input_ids"]))
    return fields, edges, segment


some_packs = st.lists(loaded_packs(), min_size=1, max_size=5)
multiples = st.sampled_from([None, 1, 7, 64])
limits = st.sampled_from([None, 9, 20])


@given(some_packs, multiples, limits)
def test_a_batch_is_what_a_loop_over_tokens_makes(packs, multiple, max_seqlen):
    batch = collate_packs(packs, pad_to_multiple_of=multiple, max_seqlen=max_seqlen)
    fields, edges, segments = naive(packs, multiple, max_seqlen)
    for name in ("input_ids", "labels", "position_ids", "segment_ids"):
        assert getattr(batch, name).tolist() == fields[name], name
    assert batch.cu_seqlens.tolist() == edges
    assert batch.image_slots.tolist() == fields["slots"]
    assert batch.num_segments == segments
    assert batch.num_targets == sum(label != IGNORED for label in fields["labels"])
    assert batch.max_seqlen == (max_seqlen or max(np.diff(edges)))
    assert batch.pack_ids.tolist() == [pack.tokens.pack_id for pack in packs]
    assert batch.pixel_values.equal(
        torch.cat([torch.from_numpy(pack.pixel_values) for pack in packs])
    )
    # A line for each sample, with the first of its bad images.
    reasons = [masked.reason for pack in packs for masked in pack.masked]
    assert batch.masked == tuple(reason for reason in reasons if reason.endswith("image 0"))


@given(some_packs, multiples, limits)
def test_segments_cover_every_token_and_slots_stay_in_their_packs(packs, multiple, max_seqlen):
    batch = collate_packs(packs, pad_to_multiple_of=multiple, max_seqlen=max_seqlen)
    edges = batch.cu_seqlens
    assert (edges[0], edges[-1]) == (0, batch.tokens)
    assert batch.tokens >= 1 and batch.tokens % (multiple or 1) == 0
    assert (edges.diff() > 0).all() and (edges.diff() <= batch.max_seqlen).all()
    used = int(edges[batch.num_segments])
    assert batch.tokens - used <= (multiple or 1) - bool(used)
    slots = iter(batch.image_slots.tolist())
    start = 0
    for pack in packs:
        ids = pack.tokens.input_ids
        for first, count in pack.tokens.image_slots.tolist():
            begin, length = next(slots)
            assert start <= begin and begin + length <= start + len(ids)
            slot = batch.input_ids[begin : begin + length]
            assert slot.tolist() == ids[first : first + count].tolist()
        start += len(ids)
    assert next(slots, None) is None


@given(some_packs, multiples)
def test_a_batch_moves_as_a_whole(packs, multiple):
    batch = collate_packs(packs, pad_to_multiple_of=multiple)
    batch = replace(batch, epoch=3, step=4, state={"epoch": 3})
    for device in ("cpu", "meta"):
        moved = batch.to(device)
        for field in fields(batch):
            old, new = getattr(batch, field.name), getattr(moved, field.name)
            if not isinstance(old, torch.Tensor):
                assert new == old
            elif device == "cpu":
                assert new.equal(old)
            else:
                assert (new.device.type, new.shape, new.dtype) == ("meta", old.shape, old.dtype)


@given(some_packs)
def test_types_are_those_that_are_stated(packs):
    batch = collate_packs(packs)
    for name in ("input_ids", "labels", "position_ids", "pack_ids"):
        assert getattr(batch, name).dtype == torch.int64
    for name in ("segment_ids", "cu_seqlens", "image_slots"):
        assert getattr(batch, name).dtype == torch.int32
    assert batch.pixel_values.dtype == torch.uint8
    assert batch.pixel_values.shape[1:] == (3, SIZE, SIZE)
    assert type(batch.max_seqlen) is type(batch.num_targets) is type(batch.num_segments) is int
    assert batch.cu_seqlens[-1] == batch.tokens > 0


def text_pack(*lengths):
    total = sum(lengths)
    ids = np.arange(total, dtype=np.int32)
    tokens = PackTokens(0, ids, ids, np.array(lengths), np.empty((0, 2), np.int32))
    return LoadedPack(tokens, np.empty((0, 3, SIZE, SIZE), np.uint8))


def test_a_sample_over_the_fixed_length_is_an_error():
    with pytest.raises(InputError, match="max_seqlen is fixed at 8 tokens, a sample has 9"):
        collate_packs([text_pack(3, 9)], max_seqlen=8)


@pytest.mark.parametrize("name", ["pad_to_multiple_of", "max_seqlen"])
@pytest.mark.parametrize("value", [0, -8])
def test_options_below_one_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} must be at least 1, got {value}"):
        collate_packs([text_pack(3)], **{name: value})


def test_a_batch_of_fillers_alone_has_one_token_that_nothing_trains(dataset):
    batch = collate_packs([dataset[FILLER], dataset[FILLER]])
    assert (batch.tokens, batch.num_segments, batch.num_targets) == (1, 0, 0)
    assert batch.cu_seqlens.tolist() == [0, 1]
    assert collate_packs([dataset[FILLER]], pad_to_multiple_of=32).tokens == 32


def test_inputs_of_transformers_are_one_row_without_a_mask(dataset):
    packs = [dataset[number] for number in (3, 4)]
    batch, inputs = collate_packs(packs), collate_for_transformers(packs)
    for name in ("input_ids", "labels", "position_ids"):
        assert inputs[name].equal(getattr(batch, name)[None])
    assert inputs["use_cache"] is False
    assert "attention_mask" not in inputs
    assert inputs["pixel_values"].shape == batch.pixel_values.shape
    assert "pixel_values" not in collate_for_transformers([text_pack(4)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_value_of_a_pixel_is_normalised_to_the_nearest_number(dtype):
    values = np.arange(256, dtype=np.uint8)
    pixels = np.resize(values, (29, 3, SIZE, SIZE))
    pack = LoadedPack(text_pack(4).tokens, pixels)
    normalized = collate_for_transformers([pack], pixel_dtype=dtype)["pixel_values"]
    assert normalized.dtype == dtype
    by_value = normalized.flatten()[:256]
    exact = torch.tensor(
        [float((Fraction(v, 255) - Fraction(1, 2)) * 2) for v in range(256)]
    ).double()
    assert by_value.equal(exact.to(dtype))
    assert (by_value[0], by_value[255]) == (-1, 1)
    assert by_value[127] == -by_value[128] < 0
