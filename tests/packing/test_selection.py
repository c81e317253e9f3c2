"""The manifest's entries of the origins account for every sample."""

from hypothesis import given
from hypothesis import strategies as st

from packkit.packing.sample_table import SampleTable
from packkit.packing.selection import Origins, Selection
from packkit.packing.span import SAMPLE_SCHEMA, Reject

NAMES = ["a.jsonl", "b.jsonl", "c.jsonl"]
REASONS = ["empty_text", "missing_image", "overlong"]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(REASONS))),
    st.lists(st.integers(0, 9), min_size=3, max_size=3),
)
def test_read_is_packed_plus_rejected_in_every_origin(pairs, packed):
    rejects = [Reject(name, place, None, reason, "") for place, (name, reason) in enumerate(pairs)]
    lost = [sum(name == source for source, _ in pairs) for name in NAMES]
    reads = [kept + left_out for kept, left_out in zip(packed, lost, strict=True)]
    selection = Selection(
        measured=SampleTable(SAMPLE_SCHEMA.empty_table()),
        origins=Origins(NAMES, ["llava", "packkit", "llava"], reads),
        rejects=rejects,
    )
    entries = selection.source_entries()
    assert [entry["name"] for entry in entries] == NAMES
    assert [entry["layout"] for entry in entries] == ["llava", "packkit", "llava"]
    assert [entry["read"] for entry in entries] == reads
    assert [entry["packed"] for entry in entries] == packed
    assert [entry["rejected"] for entry in entries] == lost
    for name, entry in zip(NAMES, entries, strict=True):
        assert list(entry["rejects"]) == sorted(entry["rejects"])
        for reason in REASONS:
            assert entry["rejects"].get(reason, 0) == pairs.count((name, reason))
