"""A trained model writes, token by token, what the likeliest next token of its own logits is."""

import random
import shutil

import numpy as np
import pytest
import torch
from training_cases import IMAGE_TOKENS, LANGUAGE, VISION

from packkit import PackWriter
from packkit.base.errors import FormatError, InputError, SampleError
from packkit.encoding import SampleEncoder
from packkit.images.pixels import PixelDecoder
from packkit.loading import collate_packs
from packkit.loading.collate import LoadedPack, PackTokens
from packkit.samples import Message, Pack, Sample
from packkit.training import DataConfig, ModelConfig, OptimizerConfig, Recipe, RunConfig, Trainer
from packkit.training.checkpoints import find_checkpoint, newest_checkpoint, read_weights
from packkit.training.export import export
from packkit.training.generation import Generator
from packkit.training.model import PackModel
from packkit.training.parallel import start_ranks
from packkit.training.trainer import train

# Longer than any answer that was trained.
LIMIT = 120


@pytest.fixture(scope="module")
def pictures(samples):
    """Every image of the packs."""
    return [image for pack in samples for sample in pack for image in sample.images]


@pytest.fixture(scope="module")
def make_own_recipe(tmp_path_factory, small_encoder, samples, pictures):
    """Makes a recipe over the conftest's samples and captions of some of their images."""
    folder = tmp_path_factory.mktemp("generation")
    captions = [
        Sample(content=(*[None] * len(images), f"A picture of the {number}."), images=images)
        for number, images in enumerate([(pictures[0],), (pictures[1],), tuple(pictures[2:4])])
    ]

    def make(out, image_tokens=IMAGE_TOKENS, **model):
        packs = folder / f"packs-{image_tokens}"
        encoder = SampleEncoder(small_encoder.tokenizer, image_tokens=image_tokens)
        with PackWriter(packs, encoder=encoder, capacity=1024) as writer:
            for data in (*samples, *[captions] * 4):
                writer.write(Pack(tuple(data), tuple(map(encoder.length, data))))
        parts = {"language": LANGUAGE, "vision": VISION, "weights": "random", **model}
        return Recipe(
            run=RunConfig(out=str(folder / out), precision="fp32", checkpoint_every=40, keep=9),
            data=DataConfig(packs=str(packs), packs_per_step=2, epochs=10, threads=1),
            model=ModelConfig(image_tokens=image_tokens, **parts),
            optimizer=OptimizerConfig(lr=1e-2),
        )

    return make


@pytest.fixture(scope="module")
def run(make_own_recipe):
    """A run that has learned to answer, with fewer tokens an image than it has features."""
    return train(make_own_recipe("run")).parents[1]


@pytest.fixture(scope="module")
def exported(run, make_own_recipe, tmp_path_factory):
    """A folder of transformers' LLaVA: the next stage, with a token for every feature."""
    stage = {"weights": str(run), "language": None, "vision": None}
    with start_ranks("cpu") as ranks:
        checkpoint = Trainer(make_own_recipe("stage", 9, **stage), ranks).save()
    return export(checkpoint, tmp_path_factory.mktemp("llava") / "llava", precision="fp32")


@pytest.fixture(scope="module")
def generator(run):
    return Generator.load(run, device="cpu")


@pytest.fixture(scope="module")
def encoder(run):
    return SampleEncoder.load(find_checkpoint(run) / "encoder")


@pytest.fixture(scope="module")
def written_by_hand(run, encoder):
    """Writes without a cache: all logits anew for every token, the likeliest taken."""
    model = PackModel(read_weights(find_checkpoint(run)), image_tokens=IMAGE_TOKENS).eval()
    decoder = PixelDecoder("pillow", VISION["image_size"])

    @torch.no_grad()
    def write(prompt, images, limit):
        slots = (None,) * len(images)
        sample = (
            Sample(content=slots, images=tuple(images))
            if prompt is None
            else Sample(messages=(Message("user", (*slots, prompt)),), images=tuple(images))
        )
        encoded = encoder.encode_prompt(sample)
        pixels = np.zeros((len(images), 3, decoder.size, decoder.size), np.uint8)
        for image, out in zip(images, pixels, strict=True):
            decoder.decode_into(image, out)
        ids = encoded.input_ids.tolist()
        for _ in range(limit):
            row = np.array(ids, np.int32)
            tokens = PackTokens(0, row, row, np.array([len(row)]), encoded.image_slots)
            ids.append(int(model.logits(collate_packs([LoadedPack(tokens, pixels)]))[-1].argmax()))
            if ids[-1] in encoder.end_ids:
                break
        return ids[encoded.length :]

    return write


# Prompt, and which of the pictures.
ASKED = [
    ("What is 6?", [5]),
    ("What is 11?", []),
    ("What is 1?", [1, 2]),
    ("Which?", [2, 1, 0]),
    (None, [0]),
    (None, [2, 3]),
]


@pytest.mark.parametrize(("prompt", "numbers"), ASKED)
def test_every_token_is_the_likeliest_of_the_logits_of_training(
    generator, encoder, written_by_hand, pictures, prompt, numbers
):
    images = [pictures[number] for number in numbers]
    expected = written_by_hand(prompt, images, LIMIT)
    assert len(expected) > 1
    assert generator.generate(prompt, images, max_new_tokens=LIMIT) == encoder.decode(expected)


# More lengths, more images, and one that asks at length.
POOL = [*ASKED, ("What is 9? " * 20, [4]), ("Which?", []), ("What is 3?", [0, 1, 2, 3, 4, 5])]


@pytest.fixture(scope="module")
def one_by_one(generator, pictures):
    """The prompts of the pool, and what is written to each by itself."""
    prompts = [generator.encode(text, [pictures[k] for k in numbers]) for text, numbers in POOL]
    return prompts, [
        generator.generate_batch([prompt], max_new_tokens=LIMIT)[0] for prompt in prompts
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_writes_what_each_writes_by_itself(generator, one_by_one, seed):
    prompts, alone = one_by_one
    chance = random.Random(seed)
    chosen = chance.choices(range(len(POOL)), k=chance.randint(2, 9))
    batch = [prompts[number] for number in chosen]
    answers = generator.generate_batch(batch, max_new_tokens=LIMIT)
    assert answers == [alone[number] for number in chosen]


def test_a_batch_is_cut_where_each_is_cut(generator, encoder, one_by_one):
    prompts, alone = one_by_one
    limit = sorted(answer.tokens for answer in alone)[len(alone) // 2]
    answers = generator.generate_batch(prompts, max_new_tokens=limit)
    assert [answer.is_cut for answer in answers] == [answer.tokens > limit for answer in alone]
    assert {answer.is_cut for answer in answers} == {True, False}
    for short, whole in zip(answers, alone, strict=True):
        assert short.tokens == min(limit, whole.tokens)
        assert whole.text.startswith(short.text)


def test_an_answer_ends_with_its_turn(generator, encoder, written_by_hand, pictures):
    written = written_by_hand("What is 6?", pictures[5:6], LIMIT)
    assert written[-1] == encoder.end_ids[0]
    assert len(written) < LIMIT
    text = generator.generate("What is 6?", pictures[5:6])
    assert text.startswith("It is in the thin line. ")
    assert text == encoder.decode(written[:-1])


def test_a_caption_ends_with_its_document(generator, encoder, written_by_hand, pictures):
    written = written_by_hand(None, pictures[:1], LIMIT)
    assert written[-1] == encoder.end_ids[1]
    text = generator.generate(images=pictures[:1])
    assert text.startswith("A picture of the ")
    assert text == encoder.decode(written[:-1])


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_no_more_tokens_are_written_than_asked_for(generator, encoder, written_by_hand, limit):
    written = written_by_hand("What is 11?", [], limit)
    assert len(written) == limit
    answer = generator.generate("What is 11?", max_new_tokens=limit)
    assert answer == encoder.decode(written)
    assert len(answer) < len(generator.generate("What is 11?", max_new_tokens=limit + 1))


def test_the_same_call_writes_the_same_text(generator, pictures):
    def ask():
        return [
            generator.generate("What is 1?", pictures[1:3], max_new_tokens=LIMIT),
            generator.generate(images=pictures[:1], max_new_tokens=LIMIT),
        ]

    assert ask() == ask()


def test_a_run_is_its_newest_checkpoint(run, generator):
    oldest = min((run / "checkpoints").iterdir())
    newest = newest_checkpoint(run / "checkpoints")
    assert oldest != newest
    shown = [
        Generator.load(path, device="cpu").generate("What is 11?", max_new_tokens=LIMIT)
        for path in (newest, oldest)
    ]
    assert shown[0] == generator.generate("What is 11?", max_new_tokens=LIMIT)
    assert shown[0] != shown[1]


def test_a_folder_that_others_wrote_writes_the_same_text(exported, pictures, tmp_path):
    others = tmp_path / "others"
    shutil.copytree(exported, others)
    (others / "encoder.json").unlink()
    generator, other = (Generator.load(path, device="cpu") for path in (exported, others))
    for prompt, images in [("What is 6?", pictures[5:6]), (None, pictures[2:4])]:
        text = generator.generate(prompt, images, max_new_tokens=LIMIT)
        assert text
        assert other.generate(prompt, images, max_new_tokens=LIMIT) == text


def test_a_folder_without_a_tokenizer_is_refused(exported, tmp_path):
    others = tmp_path / "others"
    shutil.copytree(exported, others)
    for name in ("encoder.json", "tokenizer.json"):
        (others / name).unlink()
    with pytest.raises(FormatError, match=r"tokenizer\.json: is missing") as caught:
        Generator.load(others, device="cpu")
    assert caught.value.path == str(others / "tokenizer.json")


def test_a_folder_with_a_broken_tokenizer_is_refused(exported, tmp_path):
    others = tmp_path / "others"
    shutil.copytree(exported, others)
    (others / "encoder.json").unlink()
    (others / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer\.json"):
        Generator.load(others, device="cpu")


@pytest.mark.parametrize("image", [b"", b"no image", "cut"])
def test_a_bad_image_is_refused(generator, pictures, image):
    bad = pictures[0][:100] if image == "cut" else image
    with pytest.raises(SampleError, match=r"invalid_image|truncated"):
        generator.generate("What is 6?", [pictures[0], bad])


def test_a_prompt_that_is_not_valid_utf8_is_refused(generator):
    with pytest.raises(SampleError, match="invalid_utf8"):
        generator.generate("a\udcff")


def test_nothing_at_all_is_refused(generator):
    with pytest.raises(SampleError, match="neither a message nor a part"):
        generator.generate()


@pytest.mark.parametrize("name", ["nowhere", "empty", "begun"])
def test_a_folder_that_holds_no_model_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun" / "checkpoints" / ".step-00000001.tmp").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        Generator.load(tmp_path / name, device="cpu")
    assert str(tmp_path / name) in str(caught.value)
