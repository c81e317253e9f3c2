import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.sources.layouts.obelics import ObelicsLayout

LAYOUT = ObelicsLayout({})


@pytest.mark.parametrize(
    ("keys", "matches"),
    [
        ("images texts", True),
        ("images texts metadata general_metadata", True),
        ("texts image_info", False),
        ("images texts image_info", False),
        ("images text", False),
        ("", False),
    ],
)
def test_matches(keys, matches):
    assert LAYOUT.matches(dict.fromkeys(keys.split())) == matches


@given(st.lists(st.sampled_from(["a.jpg", "b.png", 0, 1]), min_size=1, max_size=8))
def test_parts_keep_their_order(root, picture, positions):
    images = [value if isinstance(value, str) else None for value in positions]
    texts = [f"t{i}" if image is None else None for i, image in enumerate(images)]
    sample = LAYOUT.to_sample({"images": images, "texts": texts}, root)
    # Texts that follow each other are paragraphs of one part.
    expected = []
    for text in texts:
        if text is not None and expected and expected[-1] is not None:
            expected[-1] += "\n\n" + text
        else:
            expected.append(text)
    assert list(sample.content) == expected
    kinds = {"a.jpg": picture("JPEG"), "b.png": picture("PNG")}
    assert [image.read() for image in sample.images] == [kinds[kind] for kind in images if kind]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://host.org/path/x.jpg?q=1", "host.org/path/x.jpg?q=1"),
        ("http://host.org:8080/x.jpg", "host.org:8080/x.jpg"),
        ("HTTPS://Host.ORG/X.jpg", "host.org/X.jpg"),
        ("https://host.org/x.jpg#top", "host.org/x.jpg"),
        ("https://host.org/a%20b/%C3%A9%3F.jpg?s=%20", "host.org/a b/é?.jpg?s= "),
        ("https://host.org/a%2Fb%0a%7F.jpg?u=/c/d&e", "host.org/a%2Fb%0a%7F.jpg?u=%2Fc%2Fd&e"),
        ("https://host.org/a/../b//c.jpg", "host.org/b/c.jpg"),
        ("https://host.org/100%.jpg", "host.org/100%.jpg"),
    ],
)
def test_urls_are_looked_for_where_wget_saves_them(tmp_path, picture, url, path):
    place = tmp_path / path
    place.parent.mkdir(parents=True)
    place.write_bytes(picture())
    (tmp_path / "host.org" / "a").mkdir(parents=True, exist_ok=True)
    sample = LAYOUT.to_sample({"images": [url], "texts": [None]}, DataRoot(tmp_path))
    assert sample.image_bytes(0) == picture()


def test_urls_lead_nowhere_else(tmp_path):
    fields = {"images": ["https://../x.jpg"], "texts": [None]}
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample(fields, DataRoot(tmp_path))
    assert caught.value.reason is RejectReason.UNSAFE_PATH


def test_bytes_are_images_too(root, picture):
    text = base64.b64encode(picture()).decode()
    fields = {"images": [{"bytes": text, "path": None}, text], "texts": [None, None]}
    sample = LAYOUT.to_sample(fields, root)
    assert [image.read() for image in sample.images] == [picture()] * 2


def test_metadata_is_kept_as_it_is(root):
    fields = {
        "images": [None],
        "texts": ["x"],
        "metadata": '[{"a": 1}]',
        "general_metadata": "{}",
        "id": 7,
    }
    sample = LAYOUT.to_sample(fields, root)
    assert sample.meta == {"metadata": '[{"a": 1}]', "general_metadata": "{}"}
    assert sample.id == "7"


@pytest.mark.parametrize(
    ("images", "texts", "detail"),
    [
        (["a.jpg"], ["x"], "position 0 must hold either an image or a text"),
        ([None, "a.jpg"], ["x", "y"], "position 1 must hold either an image or a text"),
        ([None], [5], "position 0 must hold either an image or a text"),
        ([None], [], "must be lists of one length"),
        (None, ["x"], "must be lists of one length"),
        ("a", "b", "must be lists of one length"),
    ],
)
def test_what_does_not_line_up_is_rejected(root, images, texts, detail):
    with pytest.raises(SampleError, match=detail) as caught:
        LAYOUT.to_sample({"images": images, "texts": texts}, root)
    assert caught.value.reason is RejectReason.INVALID_SAMPLE


@pytest.mark.parametrize("texts", [[], [""], ["", ""], [None], [None, ""]])
def test_a_document_of_nothing_is_rejected(root, texts):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample({"images": [None] * len(texts), "texts": texts}, root)
    assert caught.value.reason is RejectReason.EMPTY_TEXT


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_position_of_nothing_is_left_out(root, nothing):
    fields = {"images": ["a.jpg", None, None], "texts": [None, nothing, "x"]}
    assert LAYOUT.to_sample(fields, root).content == (None, "x")


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.sampled_from([["a.jpg", None], [None, "x"], ["https://x/%zz?[", None], ["", ""]])
    fields = data.draw(records_of("images", "texts", "id", values=values))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)
