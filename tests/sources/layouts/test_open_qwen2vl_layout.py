import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.samples.open_qwen2vl import sample_from_open_qwen2vl
from packkit.sources.layouts.open_qwen2vl import OpenQwen2vlLayout

LAYOUT = OpenQwen2vlLayout({})
DOCUMENT = {
    "texts": ["Before.", None, "After."],
    "image_info": [None, {"image_base64": "AAAA"}, None],
    "__key__": "shard/000",
    "url": "https://example.org",
}


def test_a_document_of_a_tar(root):
    assert LAYOUT.matches(DOCUMENT)
    sample = LAYOUT.to_sample(DOCUMENT, root)
    assert sample == sample_from_open_qwen2vl(DOCUMENT)
    assert sample.content == ("Before.", None, "After.")
    assert (sample.id, sample.meta) == ("shard/000", {"url": "https://example.org"})
    assert sample.image_bytes(0) == b"\0\0\0"


def test_lists_of_two_lengths(root):
    with pytest.raises(SampleError) as caught:
        LAYOUT.to_sample({"texts": ["a"], "image_info": []}, root)
    assert caught.value.reason is RejectReason.INVALID_SAMPLE


def test_other_records_do_not_match():
    for fields in ({}, {"texts": []}, {"image_info": []}, {"messages": []}):
        assert not LAYOUT.matches(fields)


@given(st.data())
def test_only_sample_errors_escape(records_of, root, data):
    fields = data.draw(
        records_of(
            "texts", "image_info", "key", values=st.lists(st.none() | st.just("a"), max_size=2)
        )
    )
    LAYOUT.matches(fields)
    try:
        sample = LAYOUT.to_sample(fields, root)
    except SampleError:
        return
    assert sample.image_count == len(sample.images)
