"""JSON is found in whatever stands around it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.infimed.chat import find_json, without_thoughts

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values, max_size=2)
    ),
    max_leaves=4,
)
# The mark of the object that is looked for; no other object has it.
OBJECTS = st.dictionaries(st.text("ab{}\"'\\ \n", max_size=6), JSON, max_size=3)
PROSE = st.text(alphabet="abc {}[]\":,`'\\\n中", max_size=40)


def is_ours(value):
    return value.get("mark") is True


def dumped(value, indent=None):
    return json.dumps({**value, "mark": True}, indent=indent, ensure_ascii=False)


@given(OBJECTS, st.sampled_from([None, 2]), PROSE)
def test_object_is_found_alone_in_a_fence_and_before_prose(value, indent, prose):
    wanted, text = {**value, "mark": True}, dumped(value, indent)
    for around in (text, f"```json\n{text}\n```", f"Here it is: {text}\n{prose}"):
        assert find_json(around, is_ours) == wanted


@given(OBJECTS, OBJECTS, PROSE)
def test_of_several_objects_the_last_is_taken(first, last, prose):
    text = f"{dumped(first)} or rather\n{dumped(last)} {prose}"
    assert find_json(text, is_ours) == {**last, "mark": True}


@given(OBJECTS, OBJECTS)
def test_object_in_reasoning_is_no_answer(draft, value):
    thoughts = f"<think>\nperhaps {dumped(draft)}\n</think>\n"
    assert find_json(thoughts, is_ours) is None
    assert find_json(thoughts.removeprefix("<think>"), is_ours) is None
    assert find_json(thoughts + dumped(value), is_ours) == {**value, "mark": True}


@given(OBJECTS)
def test_object_is_found_inside_one_that_fails_the_check(value):
    assert find_json(json.dumps({"result": [{**value, "mark": True}]}), is_ours) == {
        **value,
        "mark": True,
    }


@given(st.text())
def test_any_text_is_searched_without_an_error(text):
    value = find_json(text, lambda value: True)
    assert value is None or isinstance(value, dict)


@given(OBJECTS)
def test_object_inside_an_accepted_one_is_not_taken(value):
    outer = {"mark": True, "inner": {**value, "mark": True}}
    assert find_json(json.dumps(outer), is_ours) == outer


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"mark": tru', '{"mark": NaN}', "<think>{}", '{"mark": ' * 4_000, "{" * 30_000],
)
def test_nothing_is_found_where_there_is_nothing(text):
    assert find_json(text, is_ours) is None


def test_line_breaks_in_strings_are_let_pass():
    assert find_json('{"comment": "two\nlines"}', lambda value: True) == {"comment": "two\nlines"}


def test_reasoning_is_left_out():
    assert without_thoughts("<think>so</think>Yes.") == "Yes."
    assert without_thoughts("so</think>Yes.") == "Yes."
    assert without_thoughts("Yes.") == "Yes."
    assert without_thoughts("\n<think>so") == ""
    answer = '{"comment": "it ends with </think>"}'
    assert without_thoughts(answer) == answer
    assert without_thoughts(f"<think>{answer}</think>Yes.") == "Yes."


def test_braces_without_end_take_no_time_without_end():
    start = time.monotonic()
    assert find_json('{"a":' * 250_000, lambda _: True) is None
    assert without_thoughts("<think>" + '{"a":[' * 250_000) == ""
    assert time.monotonic() - start < 5
