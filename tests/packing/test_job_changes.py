"""What differs between two jobs is named, place by place."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.packing.job_changes import changes_between

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from("xyz"), parts),
    max_leaves=6,
)


@given(JSON, JSON)
def test_values_without_a_change_are_the_same_json(saved, wanted):
    texts = [orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in (saved, wanted)]
    assert (not list(changes_between(saved, wanted))) is (texts[0] == texts[1])


@pytest.mark.parametrize(
    ("saved", "wanted", "changes"),
    [
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["a[0].b was 1, now 2"]),
        ({"a": 1}, {"b": 1}, ["only the job before has a", "only the job now has b"]),
        ({"a": [1]}, {"a": []}, ["a were 1, now 0"]),
        ({"a": False}, {"a": 0}, ["a was False, now 0"]),
    ],
)
def test_each_change_has_its_place(saved, wanted, changes):
    assert list(changes_between(saved, wanted)) == changes
