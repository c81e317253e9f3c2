"""A small pack set with images in several shards, and ways to go through it."""

import hashlib
import io
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from packkit.loading import PackDataset, PackLoader
from packkit.samples import Message, Pack, Sample
from packkit.shards import PackWriter

PACKS = 23
SIZE = 16


def picture(seed, kind="JPEG"):
    """An encoded image of noise, of a size that differs from seed to seed."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (8 + seed % 23, 9 + seed % 17, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def pack_of(number, encoder):
    """A pack of one to four samples; every fifth sample has no image, every fourth has two."""
    samples = []
    for index in range(1 + number % 4):
        seed = 7 * number + index
        images = [
            picture(seed + k, ("JPEG", "PNG")[seed % 2]) for k in range((0, 1, 1, 2, 1)[seed % 5])
        ]
        ask = Message("user", (*[None] * len(images), f"What is {seed}?"))
        answer = Message("assistant", ("It is in the thin line. " * (1 + seed % 5),))
        samples.append(Sample(id=f"{number}/{index}", messages=(ask, answer), images=tuple(images)))
    return Pack(tuple(samples), tuple(map(encoder.length, samples)))


@pytest.fixture(scope="session")
def write_packs(small_encoder):
    """Writes a pack set of small packs in shards of about three packs."""

    def write(out, numbers=range(PACKS), *, encoder=small_encoder, shard_size=9000, capacity=2048):
        with PackWriter(out, encoder=encoder, shard_size=shard_size, capacity=capacity) as writer:
            for number in numbers:
                writer.write(pack_of(number, small_encoder))
        return out

    return write


@pytest.fixture(scope="session")
def packs(tmp_path_factory, write_packs):
    """A pack set of 23 packs; read only."""
    return write_packs(tmp_path_factory.mktemp("loading") / "packs")


@pytest.fixture(scope="session")
def dataset(packs):
    """The packs as a dataset."""
    return PackDataset(packs, image_size=SIZE)


@pytest.fixture(scope="session")
def make_loader(packs):
    """Makes a loader over the packs; options of `PackLoader` by name."""

    def make(**options):
        options = {"packs_per_step": 4, "threads": 0, "image_size": SIZE, **options}
        return PackLoader(options.pop("packs", packs), **options)

    return make


def tensors_of(batch):
    """Every tensor and number of a batch that training sees."""
    names = (
        "input_ids labels position_ids segment_ids cu_seqlens pixel_values image_slots pack_ids "
        "max_seqlen num_segments num_targets masked"
    )
    return {name: getattr(batch, name) for name in names.split()}


@pytest.fixture(scope="session")
def digest():
    """A hash of a batch, bit for bit."""

    def of(batch):
        total = hashlib.sha256()
        for name, value in tensors_of(batch).items():
            data = value.numpy().tobytes() if hasattr(value, "numpy") else repr(value).encode()
            total.update(name.encode() + data)
        return total.hexdigest()

    return of


@pytest.fixture(scope="session")
def take():
    """Takes batches off an iterable: all, or the first few, and then leaves it."""

    def take(iterable, count=None):
        iterator = iter(iterable)
        batches = list(islice(iterator, count))
        if hasattr(iterator, "close"):
            iterator.close()
        return batches

    return take


@pytest.fixture(scope="session")
def write_bad(small_encoder):
    """Writes three packs; of the second, the last sample's second image is cut off."""

    def write(out):
        ask = (None, None, "Which of the two?")
        good = Sample(id="1/good", content=ask, images=(picture(1), picture(2)))
        cut = picture(3)[:-40]
        bad = Sample(id="1/bad", content=ask, images=(picture(1), cut))
        text = Sample(id="text", content=("Nothing to see.",))
        with PackWriter(out, encoder=small_encoder) as writer:
            for samples in ((text,), (good, bad), (text,)):
                writer.write(Pack(samples, tuple(map(small_encoder.length, samples))))
        return out

    return write
