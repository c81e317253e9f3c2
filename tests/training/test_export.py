"""What is exported is what was trained: transformers makes the same of it, number by number."""

import io
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from training_cases import LANGUAGE, VISION
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    AutoProcessor,
    LlavaForConditionalGeneration,
)

from packkit import PackWriter
from packkit.base.errors import CheckpointError, InputError, LockedError, OutputExistsError
from packkit.base.lock import FileLock
from packkit.encoding import SampleEncoder
from packkit.images.pixels import PixelDecoder
from packkit.loading import collate_packs
from packkit.loading.collate import LoadedPack, PackTokens
from packkit.samples import Message, Pack, Sample
from packkit.training import DataConfig, ModelConfig, OptimizerConfig, Recipe, RunConfig, Trainer
from packkit.training.checkpoints import find_checkpoint, read_weights
from packkit.training.export import export
from packkit.training.generation import Generator
from packkit.training.model import PackModel
from packkit.training.parallel import start_ranks
from packkit.training.trainer import train
from packkit.training.weights import read_llava
from packkit.varlen import normalize_pixels

# As many as the vision encoder has features.
IMAGE_TOKENS = 9


def png(seed, size=(20, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


# By name: messages, where None is the next image, and the images.
CHATS = {
    "one image": ([("user", (None, "What is 6?"))], [png(6)]),
    "two images": ([("user", (None, None, "What is 11?"))], [png(11), png(12, (50, 9))]),
    "an image after text": ([("user", ("Look: ", None, "and say."))], [png(3)]),
    "no image": ([("user", ("What is 2?",))], []),
    "several turns": (
        [
            ("system", ("Be brief.",)),
            ("user", (None, "What is 7?")),
            ("assistant", ("<think>\nThin.\n</think>\n\nIt is 7.",)),
            ("user", ("And this?", None)),
        ],
        [png(7), png(8)],
    ),
}


@pytest.fixture(params=CHATS)
def asked(request):
    """A conversation that the assistant answers next."""
    turns, images = CHATS[request.param]
    return Sample(messages=tuple(Message(*turn) for turn in turns), images=tuple(images))


@pytest.fixture(scope="module")
def make_whole_recipe(tmp_path_factory, small_encoder, samples):
    """Makes a recipe over the conftest's samples, with an image token for every feature."""
    packs = tmp_path_factory.mktemp("export") / "packs"
    encoder = SampleEncoder(small_encoder.tokenizer, image_tokens=IMAGE_TOKENS)
    with PackWriter(packs, encoder=encoder, capacity=1024) as writer:
        for data in samples:
            writer.write(Pack(data, tuple(map(encoder.length, data))))

    def make(out, **model):
        parts = {"language": LANGUAGE, "vision": VISION, "weights": "random", **model}
        return Recipe(
            run=RunConfig(out=str(out), precision="fp32"),
            data=DataConfig(packs=str(packs), packs_per_step=2, epochs=8, threads=1),
            model=ModelConfig(image_tokens=IMAGE_TOKENS, **parts),
            optimizer=OptimizerConfig(lr=1e-2),
        )

    return make


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_whole_recipe):
    """A run that has learned to answer."""
    out = tmp_path_factory.mktemp("export") / "run"
    train(make_whole_recipe(out))
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory, run):
    """The run in float32, as transformers takes it."""
    out = tmp_path_factory.mktemp("export") / "exported"
    assert export(run, out, precision="fp32") == out
    return out


@pytest.fixture(scope="module")
def encoder(run):
    return SampleEncoder.load(find_checkpoint(run) / "encoder")


@pytest.fixture(scope="module")
def processed(exported):
    """Makes what transformers' processor makes of a conversation."""
    processor = AutoProcessor.from_pretrained(exported)

    def process(sample):
        images = iter(sample.images)
        chat = []
        for message in sample.messages:
            parts = [
                {"type": "image", "image": Image.open(io.BytesIO(next(images)))}
                if part is None
                else {"type": "text", "text": part}
                for part in message.content
            ]
            chat.append({"role": message.role, "content": parts})
        return processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )

    return process


def decoded(sample):
    """The pixels of the images of a sample, uint8."""
    decoder = PixelDecoder("pillow", VISION["image_size"])
    pixels = np.empty((len(sample.images), 3, decoder.size, decoder.size), np.uint8)
    for image, out in zip(sample.images, pixels, strict=True):
        decoder.decode_into(image, out)
    return pixels


@torch.no_grad()
def trained_logits(run, encoder, sample):
    """What the trainer's own model makes of a prompt."""
    prompt = encoder.encode_prompt(sample)
    lengths = np.array([prompt.length])
    tokens = PackTokens(0, prompt.input_ids, prompt.labels, lengths, prompt.image_slots)
    model = PackModel(read_weights(find_checkpoint(run)), image_tokens=IMAGE_TOKENS).eval()
    return model.logits(collate_packs([LoadedPack(tokens, decoded(sample))]))


def test_the_processor_makes_the_ids_that_were_trained(processed, encoder, asked):
    ids = processed(asked)["input_ids"]
    assert ids.tolist() == [encoder.encode_prompt(asked).input_ids.tolist()]


def test_the_processor_makes_the_pixels_that_were_trained(processed, asked):
    pixels = processed(asked).get("pixel_values")
    if not asked.images:
        assert pixels is None
        return
    expected = normalize_pixels(torch.from_numpy(decoded(asked)), torch.float32)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("kind", [AutoModelForImageTextToText, LlavaForConditionalGeneration])
def test_transformers_makes_the_logits_that_the_trainer_makes(
    run, exported, processed, encoder, asked, kind
):
    model = kind.from_pretrained(exported)
    assert model.dtype == torch.float32
    expected = trained_logits(run, encoder, asked)
    assert expected.std() > 0.1
    torch.testing.assert_close(model(**processed(asked)).logits[0], expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_transformers_opens_it_without_a_head_too(run, exported, processed, encoder, asked):
    model = AutoModel.from_pretrained(exported)
    hidden = model(**processed(asked)).last_hidden_state[0]
    expected = trained_logits(run, encoder, asked)
    logits = hidden @ model.get_input_embeddings().weight.T
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_transformers_writes_the_text_that_packkit_writes(run, exported, processed, encoder):
    question, images = "What is 6?", [png(6)]
    asked = Sample(messages=(Message("user", (None, question)),), images=tuple(images))
    text, again = (
        Generator.load(path, device="cpu").generate(question, images, max_new_tokens=60)
        for path in (run, exported)
    )
    assert text.startswith("It is in the thin line.")
    assert again == text
    inputs = processed(asked)
    model = LlavaForConditionalGeneration.from_pretrained(exported)
    # Greedy, and when it ends, is what generation_config.json says.
    written = model.generate(**inputs, max_new_tokens=60)[0, inputs["input_ids"].shape[1] :]
    assert encoder.decode(written.tolist()) == text
    assert written[-1] == encoder.end_ids[0]
    assert len(written) < 60


def test_a_stage_starts_from_an_exported_folder_with_the_same_weights(
    run, exported, make_whole_recipe, tmp_path
):
    expected = dict(read_weights(find_checkpoint(run)).named_parameters())
    weights = dict(read_llava(exported).named_parameters())
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weight, expected[name]) for name, weight in weights.items())
    recipe = make_whole_recipe(tmp_path / "run", weights=str(exported), language=None, vision=None)
    with start_ranks("cpu") as ranks:
        start = dict(Trainer(recipe, ranks).model.llava.named_parameters())
        assert start.keys() == expected.keys()
        for name, weight in start.items():
            whole = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
            assert torch.equal(whole, expected[name]), name


def test_its_file_is_that_of_a_fresh_llava(exported, tmp_path):
    LlavaForConditionalGeneration(AutoConfig.from_pretrained(exported)).save_pretrained(tmp_path)
    expected = load_file(tmp_path / "model.safetensors")
    tensors = load_file(exported / "model.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }
    written = json.loads((exported / "config.json").read_text())
    assert written["architectures"] == ["LlavaForConditionalGeneration"]
    assert written["model_type"] == "llava"


def bytes_of_weights(folder):
    """Size of a safetensors file without its header."""
    data = (folder / "model.safetensors").read_bytes()
    return len(data) - 8 - int.from_bytes(data[:8], "little")


def test_bf16_is_half_of_fp32_and_the_same_weights_rounded(run, exported, tmp_path):
    half = export(run, tmp_path / "half")
    assert 2 * bytes_of_weights(half) == bytes_of_weights(exported)
    rounded, exact = (load_file(folder / "model.safetensors") for folder in (half, exported))
    assert all(torch.equal(weight, exact[name].bfloat16()) for name, weight in rounded.items())
    assert AutoModelForImageTextToText.from_pretrained(half).dtype == torch.bfloat16


def test_it_holds_the_encoder_of_the_packs(exported, encoder):
    assert SampleEncoder.load(exported).fingerprint == encoder.fingerprint


def test_a_checkpoint_is_exported_as_its_run_is(run, exported, tmp_path):
    again = export(find_checkpoint(run), tmp_path / "again", precision="fp32")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in exported.iterdir()
    }


def test_a_run_that_pools_cannot_be_exported(make_recipe, tmp_path):
    with start_ranks("cpu") as ranks:
        checkpoint = Trainer(make_recipe(), ranks).save()
    out = tmp_path / "out"
    with pytest.raises(
        InputError, match=r"4 tokens.*from 9.*no class of transformers can"
    ) as caught:
        export(checkpoint, out)
    assert str(checkpoint) in str(caught.value)
    assert not out.exists()


def test_an_existing_folder_is_left_alone(run, tmp_path):
    with pytest.raises(OutputExistsError, match="already exists") as caught:
        export(run, tmp_path)
    assert caught.value.path == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_processes_do_not_export_to_one_folder(run, exported, tmp_path):
    making = tmp_path / ".out.tmp"
    with FileLock(making / "lock", "thing"):
        (making / "config.json").write_text("of the other")
        with pytest.raises(LockedError, match=r"process \d+ holds the lock of export .*out$"):
            export(run, tmp_path / "out")
        assert (making / "config.json").read_text() == "of the other"
    # What a killed one left is cleared away.
    (making / "model-00001.safetensors").write_bytes(b"half")
    out = export(run, tmp_path / "out", precision="fp32")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(os.listdir(out)) == sorted(os.listdir(exported))


@pytest.mark.parametrize("name", ["", "checkpoints", "nowhere"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="must be a run or a checkpoint") as caught:
        export(tmp_path / name, tmp_path / "out")
    assert str(tmp_path / name) in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_torn_checkpoint_is_refused(make_whole_recipe, tmp_path):
    with start_ranks("cpu") as ranks:
        checkpoint = Trainer(make_whole_recipe(tmp_path / "run"), ranks).save()
    (state,) = (checkpoint / "state").glob("*.safetensors")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot load it"):
        export(checkpoint, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
