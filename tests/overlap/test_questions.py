"""Questions are the same whatever their case, white space and punctuation."""

from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.overlap.questions import normalized, questions_of
from packkit.samples import Message, Sample

BETWEEN = st.text(" \t\n.,;:!?-()！？、", min_size=1, max_size=3)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=30))
def test_normalized_text_is_normalized(text):
    once = normalized(text)
    assert normalized(once) == once
    assert once == once.strip() and "  " not in once


@given(st.lists(st.sampled_from(["is", "this", "ct", "正常", "肺"]), min_size=1), st.data())
def test_case_space_and_punctuation_do_not_matter(words, data):
    text = "".join(word + data.draw(BETWEEN) for word in words)
    assert normalized(data.draw(BETWEEN) + text.upper()) == " ".join(words)


def test_symbols_tell_questions_apart_and_invisible_characters_do_not():
    assert normalized("Is it < 5 mm?") != normalized("Is it > 5 mm?")
    assert normalized("Is it HER2+?") != normalized("Is it HER2-?")
    assert normalized("im\u00adage \ufeffof") == "image of"


def test_questions_are_those_of_the_user_turn_by_turn():
    messages = (
        Message("system", ("Be brief.",)),
        Message("user", (None, "Which", "plane?")),
        Message("assistant", ("Axial.",)),
        Message("user", ("Is it NORMAL?",)),
        Message("assistant", ("Yes.",)),
        Message("user", ("...",)),
    )
    sample = Sample(messages=messages, images=(b"",))
    assert questions_of(sample) == {"which plane", "is it normal"}
    assert questions_of(Sample(content=("Is it normal?",))) == frozenset()
