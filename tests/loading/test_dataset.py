"""Packs by number: ours and those that others wrote, with lengths that hold."""

import dataclasses
import io

import numpy as np
import orjson
import pybase64
import pytest
from PIL import Image

import packkit.images.pixels
from packkit.base.errors import FormatError, InputError, MissingExtraError
from packkit.loading import FILLER, PackDataset
from packkit.samples import Pack, Sample
from packkit.shards import PackReader, PackWriter

SIZE = 16


def test_a_pack_has_the_pixels_of_its_images(dataset, packs):
    with PackReader(packs) as reader:
        for number in (0, 5, 22):
            pictures = [image for sample in reader[number].data for image in sample.images]
            pixels = dataset[number].pixel_values
            assert pixels.shape == (len(pictures), 3, SIZE, SIZE)
            for decoded, data in zip(pixels, pictures, strict=True):
                image = Image.open(io.BytesIO(data)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
                assert (decoded == np.asarray(image).transpose(2, 0, 1)).all()


def test_a_filler_holds_nothing(dataset):
    pack = dataset[FILLER]
    assert pack.tokens.pack_id == FILLER
    assert len(pack.tokens.input_ids) == len(pack.tokens.lengths) == len(pack.pixel_values) == 0
    assert pack.pixel_values.shape[1:] == (3, SIZE, SIZE)


@pytest.mark.parametrize("number", [23, -2, 10**9])
def test_there_is_no_other_pack(dataset, number):
    with pytest.raises(IndexError, match=f"23 packs in all sets, no pack {number}"):
        dataset[number]


def test_images_past_the_cut_of_a_sample_are_left_out(tmp_path, small_encoder, packs):
    with PackReader(packs) as reader:
        pictures = [image for sample in reader[7].data for image in sample.images][:2]
    sample = Sample(content=(None, "One and then another.", None), images=tuple(pictures))
    cut = Sample(content=sample.content, images=sample.images, token_limit=9)
    with PackWriter(tmp_path / "cut", encoder=small_encoder) as writer:
        writer.write(Pack((cut,), (small_encoder.length(cut),)))
    pack = PackDataset(tmp_path / "cut", image_size=SIZE)[0]
    assert len(pack.pixel_values) == len(pack.tokens.image_slots) == 1
    assert len(pack.tokens.input_ids) == 9


def foreign(picture, texts):
    """A pack in the form of Open-Qwen2VL."""
    encoded = pybase64.b64encode_as_string(picture)
    data = [
        {"image_info": [{"image_base64": encoded}, None], "texts": [None, text], "key": str(i)}
        for i, text in enumerate(texts)
    ]
    return {"data": data, "lengths": [999] * len(data)}


@pytest.fixture
def write_foreign(tmp_path, packs):
    """Writes packs as others do: a folder of files, or a bare file of lines."""
    with PackReader(packs) as reader:
        picture = next(image for pack in reader for s in pack.data for image in s.images)

    def write(kind, texts):
        records = [foreign(picture, record_texts) for record_texts in texts]
        if kind == "lines":
            path = tmp_path / "bare.jsonl"
            path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
            return path
        folder = tmp_path / "open-qwen2vl"
        folder.mkdir()
        for number, record in enumerate(records):
            data = orjson.dumps(record, option=orjson.OPT_INDENT_2)
            (folder / f"{number}_packed.json").write_bytes(data)
        return folder

    return write


@pytest.mark.filterwarnings("ignore:.*their lengths are counted again")
@pytest.mark.parametrize("kind", ["lines", "folder"])
def test_packs_of_others_are_counted_by_the_encoder_given(write_foreign, small_encoder, kind):
    path = write_foreign(kind, [["A scan.", "Another one."], ["The last."]])
    dataset = PackDataset(path, image_size=SIZE, encoder=small_encoder)
    assert len(dataset) == 2
    first = dataset[0]
    with PackReader(path) as reader:
        lengths = [small_encoder.length(sample) for sample in reader[0].data]
    assert first.tokens.lengths.tolist() == lengths
    assert len(first.pixel_values) == 2


def test_packs_of_others_say_once_that_they_are_counted_again(write_foreign, small_encoder):
    path = write_foreign("lines", [["A scan."]])
    with pytest.warns(UserWarning, match="their lengths are counted again") as seen:
        dataset = PackDataset(path, image_size=SIZE, encoder=small_encoder)
        dataset[0], dataset[0]
    assert len(seen) == 1


@pytest.mark.filterwarnings("ignore:.*their lengths are counted again")
def test_packs_of_others_that_are_too_long_now_must_be_packed_again(write_foreign, small_encoder):
    path = write_foreign("lines", [["A scan that goes on. " * 300]])
    dataset = PackDataset(path, image_size=SIZE, encoder=small_encoder)
    with pytest.raises(FormatError, match=r"pack 0: \d+ tokens .* capacity 4096; pack the"):
        dataset[0]


def test_packs_of_others_need_an_encoder(write_foreign):
    path = write_foreign("lines", [["A scan."]])
    with pytest.raises(FormatError, match="holds no encoder"):
        PackDataset(path)


def test_a_length_that_was_not_packed_is_named(tmp_path, write_packs, small_encoder, monkeypatch):
    folder = write_packs(tmp_path / "packs", range(3))
    dataset = PackDataset(folder, image_size=SIZE)
    encode = dataset.sets.encoder.encode_batch

    def cut_short(samples, **options):
        return [
            dataclasses.replace(sample, input_ids=sample.input_ids[:-1], labels=sample.labels[:-1])
            for sample in encode(samples, **options)
        ]

    monkeypatch.setattr(dataset.sets.encoder, "encode_batch", cut_short)
    with pytest.raises(FormatError, match=r'pack 0: sample "0/0": the encoder counts \d+ tokens'):
        dataset[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_bad_image": "skip"}, "on_bad_image must be raise or mask, got 'skip'"),
        ({"decoder": "jpeg"}, "decoder must be one of pillow, turbo, got 'jpeg'"),
        ({"image_size": 0}, "image_size must be at least 1, got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(packs, options, message):
    with pytest.raises(InputError, match=message):
        PackDataset(packs, **options)


def test_a_decoder_that_is_not_installed_is_an_error_and_no_fallback(packs, monkeypatch):
    monkeypatch.setattr(packkit.images.pixels, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'packkit\[turbo\]'"):
        PackDataset(packs, decoder="turbo")
