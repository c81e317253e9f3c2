"""The tiny recipe learns the captions of the demo by heart, from their images: make proof."""

import dataclasses
import math
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import torch

from packkit import PackConfig, PackReader, pack
from packkit.encoding import IGNORED
from packkit.loading import PackDataset, collate_packs
from packkit.training import PackModel, read_recipe, train
from packkit.training.checkpoints import read_weights
from packkit.training.generation import Generator
from packkit.training.metrics import read_metrics

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Captions of the demo as tars, and packs of them."""
    folder = tmp_path_factory.mktemp("tiny")
    build = [sys.executable, str(ROOT / "examples" / "demo" / "build.py"), str(folder / "data")]
    small = folder / "small-tokenizer.json"
    subprocess.run([*build, "--small-tokenizer", str(small)], check=True, capture_output=True)
    config = PackConfig(max_len=1024, tokenizer=str(small))
    pack(folder / "data" / "webdataset", folder / "captions", config)
    return folder


@pytest.fixture(scope="module")
def trained(demo):
    """The recipe of the README, trained; its last checkpoint."""
    torch.set_num_threads(2)
    changes = [f"run.out={demo / 'run'}", f"data.packs={demo / 'captions'}"]
    return train(read_recipe(ROOT / "recipes" / "tiny.toml", changes))


def entropy(packs):
    """Of the targets of a pack set, nats: the loss of knowing nothing but how often each comes."""
    counts = Counter()
    with PackReader(packs) as reader:
        encoder = reader.load_encoder()
        for number in range(len(reader)):
            for sample in reader[number].data:
                counts.update(encoder.encode(sample).labels.tolist())
    del counts[IGNORED]
    total = counts.total()
    return -sum(count / total * math.log(count / total) for count in counts.values())


def test_loss_falls_below_half_of_the_entropy_of_targets(demo, trained):
    losses = [line["loss"] for line in read_metrics(demo / "run" / "metrics.jsonl")]
    bound = entropy(demo / "captions") / 2
    print(f"entropy / 2 {bound:.3f}, losses {losses[0]:.3f} to {losses[-1]:.4f}")
    assert losses[0] > bound
    assert max(losses[-20:]) < bound


def captions(data):
    """Images and captions of the tars."""
    for path in sorted((data / "webdataset").glob("*.tar")):
        with tarfile.open(path) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}
        for name, text in files.items():
            stem, dot, kind = name.rpartition(".")
            if kind == "txt":
                (image,) = (
                    data
                    for other, data in files.items()
                    if other.startswith(stem + dot) and not other.endswith((".txt", ".json"))
                )
                yield image, text.decode()


def test_nine_captions_of_ten_are_written_word_for_word(demo, trained):
    generator = Generator.load(trained)
    pairs = list(captions(demo / "data"))
    right = sum(generator.generate(images=[image]) == text for image, text in pairs)
    print(f"{right} of {len(pairs)} captions")
    assert len(pairs) == 47
    assert right >= 0.9 * len(pairs)


def test_other_images_make_the_loss_twice_as_high(demo, trained):
    dataset = PackDataset(demo / "captions", image_size=168)
    batch = collate_packs([dataset[number] for number in range(len(dataset))])
    model = PackModel(read_weights(trained), image_tokens=144).eval()
    swapped = dataclasses.replace(batch, pixel_values=batch.pixel_values.roll(1, 0))
    with torch.no_grad():
        loss, other = model(batch).item(), model(swapped).item()
    print(f"loss of a batch {loss:.1f}, with the images of others {other:.1f}")
    assert other >= 2 * loss
