"""Packs for the tests of the on-disk format: random ones, and small sets on disk."""

import hashlib
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import orjson
import pybase64
import pytest
from hypothesis import strategies as st
from PIL import Image
from tokenizers import Tokenizer

from packkit.encoding import SampleEncoder
from packkit.images import image_size
from packkit.samples import Message, Origin, Pack, Sample
from packkit.shards import (
    MANIFEST,
    REJECTS,
    Manifest,
    MeasuredSample,
    PackReader,
    ShardWriter,
    encoder_checksums,
)
from packkit.shards.index_columns import ImagePlace, make_row
from packkit.shards.index_table import IndexBuilder

# What could be taken for the bytes around an image.
_HOSTILE_TEXTS = [
    '"',
    "\\",
    '\\"images":["',
    '"],"lengths":[1]}',
    '{"data":[{"images":["AAAA"]}]}',
    "[[[{{{",
    "<image>\x00\x7f\u2028",
]


def make_image(width, height, kind, *, seed=0, **options):
    """Returns an encoded image of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def images():
    """Encoded images of every format, one of them turned by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        make_image(3, 2, "PNG"),
        make_image(16, 8, "JPEG", seed=1),
        make_image(8, 16, "WEBP", seed=2),
        make_image(40, 30, "JPEG", seed=3, exif=exif),
        make_image(24, 24, "PNG", seed=4),
    ]


@pytest.fixture(scope="session")
def random_packs(images):
    """A strategy: lists of packs with any text, repeated images, and none."""
    look_alikes = [pybase64.b64encode_as_string(image) for image in images[:2]]
    text = st.text(max_size=20) | st.sampled_from(_HOSTILE_TEXTS + look_alikes)
    parts = st.lists(st.none() | text, max_size=4).map(tuple)
    message = st.builds(
        Message, st.sampled_from(["system", "user", "assistant"]), parts, st.none() | st.booleans()
    )
    json = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | text
    meta = st.dictionaries(text, json | st.lists(json, max_size=2), max_size=2)
    labelled = st.sampled_from(["a", "b"]).map(lambda label: {"source": label})
    origin = st.builds(Origin, st.sampled_from(["x.jsonl", "y/z.tar"]), st.integers(0, 2**40))

    @st.composite
    def samples(draw):
        turns, content = None, None
        if draw(st.booleans()):
            turns = tuple(draw(st.lists(message, min_size=1, max_size=3)))
            shown = sum(turn.content.count(None) for turn in turns)
        else:
            content = draw(parts.filter(bool))
            shown = content.count(None)
        return Sample(
            id=draw(st.none() | text),
            messages=turns,
            content=content,
            images=tuple(draw(st.sampled_from(images)) for _ in range(shown)),
            meta=draw(meta | labelled),
            token_limit=draw(st.none() | st.integers(1, 4096)),
            origin=draw(st.none() | origin),
        )

    pack = st.lists(st.tuples(samples(), st.integers(1, 4096)), min_size=1, max_size=4)
    return st.lists(pack.map(lambda items: Pack(*zip(*items, strict=True))), max_size=4)


@pytest.fixture(scope="session")
def measured():
    """Turns a pack into what a writer takes; without an encoder image tokens are unknown."""

    def measure(pack, encoder=None):
        items = []
        for sample, length in zip(pack.data, pack.lengths, strict=True):
            sizes = [image_size(image) for image in sample.images]
            tokens = [-1] * len(sizes)
            if encoder is not None:
                slots = encoder.encode(sample).image_slots
                tokens = slots[:, 1].tolist() + [0] * (len(sizes) - len(slots))
            items.append(MeasuredSample(sample, length, sizes, tokens))
        return items

    return measure


@pytest.fixture(scope="session")
def index_row():
    """What an index says of a pack of ten bytes: two samples, the first of them with an image."""
    meta, origin = {"source": "roco"}, Origin("a.jsonl", 4)
    first = Sample(content=(None,), images=(b"x",), meta=meta, origin=origin)
    items = [
        MeasuredSample(first, 3, [(640, 480)], [144]),
        MeasuredSample(Sample(content=("b",)), 2, [], []),
    ]
    return make_row(b"0123456789", items, [ImagePlace(0, 2, 4, 9)], offset=0, file=None)


@pytest.fixture(scope="session")
def build_index():
    """Returns the bytes of the index of some rows."""

    def build(rows, *, is_folder=False):
        builder = IndexBuilder(is_folder=is_folder)
        for row in rows:
            builder.append(row)
        return builder.to_bytes()

    return build


@pytest.fixture
def small_encoder(small_tokenizer):
    """An encoder that loads and saves in no time."""
    return SampleEncoder(Tokenizer.from_str(orjson.dumps(small_tokenizer).decode()), image_tokens=9)


@pytest.fixture
def some_packs(images, small_encoder):
    """Twelve packs of two sources, one sample cut so that its second image is lost."""
    packs, positions = [], {"ct.jsonl": 0, "us.tar": 0}
    for number in range(12):
        samples = []
        for name in ("ct.jsonl", "us.tar", "ct.jsonl")[: 1 + number % 3]:
            image = images[number % len(images)]
            samples.append(
                Sample(
                    id=f"{name}/{positions[name]}",
                    content=(None, f'Finding {number}: "none".', None),
                    images=(image, images[0]),
                    token_limit=20 if number == 5 else None,
                    origin=Origin(name, positions[name]),
                )
            )
            positions[name] += 1
        packs.append(Pack(tuple(samples), tuple(map(small_encoder.length, samples))))
    return packs


@pytest.fixture(scope="session")
def write_set(measured):
    """Writes packs as a whole set of shards of five packs, as a packing run does."""

    def write(out, packs, *, storage="shards", encoder=None, rejects=(), capacity=4096):
        entries, images = [], 0
        for first in range(0, len(packs), 5):
            name = f"shard-{len(entries):05d}"
            with ShardWriter(out, name, storage=storage, first_pack=first) as writer:
                for pack in packs[first : first + 5]:
                    items = measured(pack, encoder)
                    images += sum(tokens != 0 for item in items for tokens in item.image_tokens)
                    writer.write(items)
                entries.append(writer.commit())
        if encoder is not None:
            encoder.save(out / "encoder")
        lines = b"".join(orjson.dumps(reject) + b"\n" for reject in rejects)
        (out / REJECTS).write_bytes(lines)
        manifest = make_manifest(packs, entries, rejects, lines, capacity)
        manifest = replace(
            manifest,
            images=images,
            storage=storage,
            encoder=None if encoder is None else encoder.describe(),
            encoder_sha256=encoder_checksums(out),
        )
        (out / MANIFEST).write_bytes(manifest.to_json())
        return manifest

    return write


def make_manifest(packs, entries, rejects, lines, capacity):
    samples = [sample for pack in packs for sample in pack.data]
    names = [sample.origin.source for sample in samples if sample.origin is not None]
    names += [reject["source"] for reject in rejects]
    tokens = sum(pack.tokens for pack in packs)
    bound = -(-tokens // capacity)
    return Manifest(
        capacity=capacity,
        storage="shards",
        encoder=None,
        options={"seed": 0},
        samples_read=len(samples) + len(rejects),
        samples_packed=len(samples),
        samples_rejected=len(rejects),
        rejects={"overlong": len(rejects)} if rejects else {},
        duplicate_ids=0,
        packs=len(packs),
        tokens=tokens,
        images=0,
        efficiency=tokens / (len(packs) * capacity) if packs else 1.0,
        lower_bound=bound,
        gap=(len(packs) - bound) / bound if bound else 0.0,
        sources=[{"name": name, "read": names.count(name)} for name in sorted(set(names))],
        shards=entries,
        rejects_sha256=hashlib.sha256(lines).hexdigest(),
        encoder_sha256={},
    )


@pytest.fixture
def whole_set(tmp_path, some_packs, small_encoder, write_set):
    """A set of three shards with an encoder and one reject, as a namespace."""
    reject = {"source": "us.tar", "position": 8, "id": "x", "reason": "overlong", "detail": "long"}
    out = tmp_path / "packs"
    manifest = write_set(out, some_packs, encoder=small_encoder, rejects=[reject])
    return SimpleNamespace(path=out, packs=some_packs, manifest=manifest, encoder=small_encoder)


@pytest.fixture
def foreign_folder(tmp_path, images):
    """A folder of packs as Open-Qwen2VL writes them: pretty-printed, in folders."""
    folder = tmp_path / "open-qwen2vl"
    for number in range(4):
        data = [
            {
                "image_info": [{"image_base64": pybase64.b64encode_as_string(image)}, None],
                "texts": [None, f'caption "{number}"'],
                "key": f"{number:05d}",
                "uid": "ab",
                "length": 150,
            }
            for image in images[: number + 1]
        ]
        path = folder / f"tar{number % 2}" / f"{number}f3a_packed.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"data": data, "lengths": [150] * len(data)}
        path.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return folder


@pytest.fixture(scope="session")
def read_all():
    """Returns all packs under a path."""

    def read(path, **options):
        with PackReader(path, **options) as reader:
            return list(reader)

    return read
