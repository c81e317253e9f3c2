import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import DataRoot
from packkit.sources.layouts.mmc4 import Mmc4Layout

LAYOUT = Mmc4Layout({})


def record(sentences, *images, **more):
    infos = [{"image_name": name, "matched_text_index": index} for name, index in images]
    return {"text_list": sentences, "image_info": infos, **more}


def test_matches():
    assert LAYOUT.matches({"text_list": [], "image_info": []})
    assert not LAYOUT.matches({"texts": [], "image_info": []})


def test_each_image_stands_before_its_sentence(root, picture):
    fields = record(["One.", "Two.", "Three."], ("a.jpg", 2), ("b.png", 0))
    sample = LAYOUT.to_sample(fields, root)
    assert sample.content == (None, "One. Two.", None, "Three.")
    assert [image.read() for image in sample.images] == [picture("PNG"), picture("JPEG")]


def unpacked(sample, sentences):
    """Which image stands before which sentence, told by walking the parts: the slow way."""
    placed, images, sentence = [], iter(sample.images), 0
    for part in sample.content:
        if part is None:
            placed.append((next(images).path.rpartition("/")[2], sentence))
        else:
            while part:
                assert part.startswith(sentences[sentence])
                part = part[len(sentences[sentence]) :].removeprefix(" ")
                sentence += 1
    assert sentence == len(sentences)
    return placed


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(4, 6))
def test_order_is_that_of_sentences_and_then_of_the_list(root, indices, count):
    sentences = [f"s{i}." for i in range(count)]
    images = [(f"{number}.jpg", index) for number, index in enumerate(indices)]
    sample = LAYOUT.to_sample(record(sentences, *images), root)
    assert unpacked(sample, sentences) == sorted(images, key=lambda image: image[1])


def test_images_of_one_folder(tmp_path, picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.jpg").write_bytes(picture())
    sample = LAYOUT.to_sample(record(["x"], ("x.jpg", 0)), DataRoot(tmp_path))
    assert sample.image_bytes(0) == picture()


def test_the_page_is_kept_and_the_similarities_are_not(root):
    fields = record(["x"], url="u", could_have_url_duplicate=0, similarity_matrix=[[0.1]])
    assert LAYOUT.to_sample(fields, root).meta == {"url": "u", "could_have_url_duplicate": 0}


def test_an_index_of_a_table_with_gaps_is_a_fraction(root):
    assert LAYOUT.to_sample(record(["x", "y"], ("a.jpg", 1.0)), root).content == ("x", None, "y")


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        (record(None), RejectReason.INVALID_SAMPLE, "must be lists"),
        (record(["x", 5]), RejectReason.INVALID_SAMPLE, "every entry of text_list must be text"),
        (record(["x"], ("a.jpg", 1)), RejectReason.INVALID_SAMPLE, "image 0 must .* in 0..0"),
        (record(["x"], ("a.jpg", -1)), RejectReason.INVALID_SAMPLE, "image 0 must"),
        (record(["x"] * 2, ("a.jpg", True)), RejectReason.INVALID_SAMPLE, "image 0 must"),
        (record(["x"], ("a.jpg", 0.5)), RejectReason.INVALID_SAMPLE, "image 0 must"),
        (record(["x"], ("a.jpg", 0), (None, 0)), RejectReason.MISSING_IMAGE, "is empty"),
        (record(["x"], ("../a.jpg", 0)), RejectReason.UNSAFE_PATH, "outside data_root"),
        (record(["", ""]), RejectReason.EMPTY_TEXT, "neither a message nor a part"),
        ({"text_list": ["x"], "image_info": [None]}, RejectReason.INVALID_SAMPLE, "image 0 must"),
    ],
)
def test_what_is_no_document_is_rejected(root, fields, reason, detail):
    with pytest.raises(SampleError, match=detail) as caught:
        LAYOUT.to_sample(fields, root)
    assert caught.value.reason is reason


INFOS = st.fixed_dictionaries(
    {},
    optional={"image_name": st.sampled_from(["a.jpg", 5]), "matched_text_index": st.integers(0, 2)},
)


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    values = st.just(["x", "y"]) | st.lists(INFOS, max_size=3)
    fields = data.draw(records_of("text_list", "image_info", "url", values=values))
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)
