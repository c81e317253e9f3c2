"""An index made from packs alone is the one that their writer made."""

import json
import random

import orjson
import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.base.errors import FormatError
from packkit.encoding import SampleEncoder
from packkit.shards import PackReader, ShardIndex, rebuild_index, verify_packs

_STORAGES = ["shards", "files"]


def remove_indexes(folder):
    """Removes every index under a folder and returns them by path."""
    indexes = {path: path.read_bytes() for path in folder.rglob("*.index.arrow")}
    for path in indexes:
        path.unlink()
    return indexes


@settings(max_examples=80, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("storage", _STORAGES)
def test_it_is_byte_identical_for_any_packs(
    tmp_path_factory, random_packs, write_set, storage, data
):
    out = tmp_path_factory.mktemp("set")
    write_set(out, data.draw(random_packs), storage=storage)
    indexes = remove_indexes(out)
    written = rebuild_index(out)
    assert {path: path.read_bytes() for path in written} == indexes


@pytest.mark.parametrize("storage", _STORAGES)
def test_it_counts_image_tokens_with_the_encoder_of_the_set(
    tmp_path, some_packs, small_encoder, write_set, storage
):
    out = tmp_path / "packs"
    write_set(out, some_packs, storage=storage, encoder=small_encoder)
    indexes = remove_indexes(out)
    assert {path: path.read_bytes() for path in rebuild_index(out)} == indexes
    with PackReader(out) as reader:
        tokens = [value for i in range(3) for value in reader.index(i).image.tokens.tolist()]
    assert set(tokens) == {0, 9}
    assert tokens.count(0) == len(some_packs[5].data)


def test_a_bare_file_gets_the_index_beside_it(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    stored = remove_indexes(whole_set.path)[path.with_suffix(".index.arrow")]
    assert rebuild_index(path, encoder=whole_set.encoder) == [path.with_suffix(".index.arrow")]
    assert path.with_suffix(".index.arrow").read_bytes() == stored
    assert list(whole_set.path.glob("*.index.arrow")) == [path.with_suffix(".index.arrow")]


def test_foreign_packs_get_one_index_for_the_folder(foreign_folder, images, read_all):
    before = read_all(foreign_folder)
    (path,) = rebuild_index(foreign_folder)
    assert path == foreign_folder / "packs.index.arrow"
    index = ShardIndex.open(path)
    assert index.files.to_pylist() == [
        "tar0/0f3a_packed.json",
        "tar0/2f3a_packed.json",
        "tar1/1f3a_packed.json",
        "tar1/3f3a_packed.json",
    ]
    assert set(index.image.tokens.tolist()) == {-1}
    assert (index.image.width[-1], index.image.height[-1]) == (30, 40)
    with PackReader(foreign_folder) as reader:
        assert list(reader) == before
        assert reader.image(3, 3, 0) == images[3]
    assert verify_packs(foreign_folder).problems == []


@pytest.mark.parametrize("image_tokens", [None, 9, "by size"])
def test_an_image_without_a_header_has_no_size_and_tokens_only_where_size_does_not_count(
    tmp_path, small_tokenizer, image_tokens
):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(
        b'{"data":[{"content":[{"type":"image"},{"type":"text","text":"a"}],"images":["R0lG"]}],'
        b'"lengths":[9]}'
    )
    encoder = None
    if image_tokens is not None:
        tokenizer = Tokenizer.from_str(orjson.dumps(small_tokenizer).decode())
        policy = BySize() if image_tokens == "by size" else image_tokens
        encoder = SampleEncoder(tokenizer, image_tokens=policy)
    rebuild_index(path, encoder=encoder)
    with PackReader(path) as reader:
        assert reader.image(0, 0, 0) == b"GIF"
        image = reader.index(0).image
        assert (image.width[0], image.height[0]) == (0, 0)
        assert image.tokens[0] == (9 if image_tokens == 9 else -1)


class BySize:
    """A policy that needs the sizes of images."""

    spec = "by-size"

    def __call__(self, width, height):
        return width * height


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
_EXTRA = st.dictionaries(st.sampled_from(["x", "y", "{", '"']), _JSON, max_size=2)


@settings(max_examples=150, deadline=None)
@given(
    extra=_EXTRA,
    around=_EXTRA,
    meta=_JSON,
    seed=st.integers(0, 99),
    indent=st.none() | st.integers(0, 3),
    chosen=st.lists(st.integers(0, 1), max_size=3),
)
def test_ranges_are_found_in_the_json_of_any_writer(
    tmp_path_factory, images, extra, around, meta, seed, indent, chosen
):
    chosen = [images[number] for number in chosen]
    encoded = [pybase64.b64encode_as_string(image) for image in chosen]
    # A text that equals the first image must not be taken for it.
    texts = [{"type": "text", "text": text} for text in [*encoded[:1], "text"]]
    content = texts + [{"type": "image"}] * len(chosen)
    sample = shuffled({"content": content, "images": encoded, "more": meta, **extra}, seed)
    record = shuffled({"data": [sample, {"content": "b"}], "lengths": [1, 2], **around}, seed)
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "a_packed.json").write_text(
        "\n " + json.dumps(record, indent=indent, ensure_ascii=False) + "\r\n", encoding="utf-8"
    )
    with PackReader(folder) as reader:
        pack = reader[0]
        assert pack.data[0].images == tuple(chosen)
        assert [reader.image(0, 0, number) for number in range(len(chosen))] == chosen


def shuffled(record, seed):
    items = list(record.items())
    random.Random(seed).shuffle(items)
    return dict(items)


@pytest.mark.parametrize(
    ("sample", "rule"),
    [
        (b'{"content":[{"type":"image"}],"images":["R0l\\u0047"]}', "without escapes"),
        (b'{"content":[{"type":"image"}],"images":["R0lG"],"images":["R0lG"]}', "key twice"),
        (b'{"content":[{"type":"image"}],"images":["R0"]}', "image 0: invalid_base64"),
        (b'{"content":[{"type":"image"}],"images":[]}', "image_count"),
        (b'{"content":"a","images":[null]}', "must be a base64 string"),
        (b"{}", "messages and content"),
    ],
)
def test_what_cannot_be_indexed_is_named(tmp_path, sample, rule):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b'{"data":[{"id":"x",%s],"lengths":[9]}' % sample[1:])
    if sample == b"{}":
        path.write_bytes(b'{"data":[{}],"lengths":[9]}')
    with pytest.raises(FormatError, match=rule) as caught:
        rebuild_index(path)
    assert str(caught.value).startswith("packs.jsonl: pack 0: sample ") or "twice" in rule
    assert not path.with_suffix(".index.arrow").exists()


def test_a_damaged_shard_gets_no_index_that_the_set_would_take(whole_set):
    path = whole_set.path / "shard-00001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"none", b"nine", 1))
    rebuild_index(whole_set.path)
    with PackReader(whole_set.path) as reader:
        assert reader[0] == whole_set.packs[0]
        with pytest.raises(FormatError, match=r"shard-00001\.index\.arrow"):
            reader[5]


def test_a_damaged_bare_index_never_changes_what_is_read(tmp_path, some_packs):
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b"".join(orjson.dumps(pack.to_dict()) + b"\n" for pack in some_packs[:3]))
    (index,) = rebuild_index(path)
    whole = index.read_bytes()
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        index.write_bytes(damaged)
        try:
            with PackReader(path) as reader:
                found = list(reader)
        except FormatError:
            continue
        assert found == some_packs[: len(found)]
