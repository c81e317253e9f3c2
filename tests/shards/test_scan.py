"""An index made from the text of packs alone, whoever wrote them."""

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
from packkit.shards import PackReader, rebuild_index


def test_what_other_writers_of_json_lines_do_is_read(tmp_path, some_packs, read_all):
    records = [pack.to_dict() for pack in some_packs[:3]]
    # Other keys first, spaces, line ends of Windows, a blank line, no line end at the end.
    swapped = [{"lengths": r["lengths"], "version": [1, 2], "data": r["data"]} for r in records]
    spaced = [orjson.dumps(r).replace(b'","', b'" , "') for r in swapped]
    path = tmp_path / "packs.jsonl"
    path.write_bytes(b"\r\n".join([spaced[0], spaced[1], b"", spaced[2]]))
    assert read_all(path) == some_packs[:3]
    with PackReader(path) as reader:
        assert reader.image(2, 0, 1) == some_packs[2].data[0].images[1]


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
