from hypothesis import given
from hypothesis import strategies as st

from packkit.infimed.data.multiple_choice import multiple_choice_prompt


@given(st.text("ab?", min_size=1), st.lists(st.text("xy ", min_size=1), min_size=1, max_size=6))
def test_question_options_and_what_is_asked_for_each_on_a_line(question, texts):
    options = dict(zip("ABCDEF", texts, strict=False))
    first, head, *lines, last = multiple_choice_prompt(question, options).split("\n")
    assert (first, head) == (f"Question: {question}", "Options:")
    assert [tuple(line.split(". ", 1)) for line in lines] == list(options.items())
    assert last == "Answer with the option's letter from the given choices directly."
