"""The small benchmarks of the demo."""

import re
from collections import Counter

from demo_reading import decode

from packkit.infimed.evaluation.benchmarks import BENCHMARKS


def test_benchmarks_ask_every_kind_of_question(questions):
    counts = Counter(question.benchmark for question in questions)
    assert list(counts) == list(BENCHMARKS) and min(counts.values()) >= 20
    assert {question.kind for question in questions} == {"choice", "yes_no", "closed", "open"}
    assert {len(question.options) for question in questions} == {0, 2, 3, 4, 5}
    assert {len(question.images) for question in questions} == {1, 2, 3}
    in_chinese = Counter(question.kind for question in questions if question.language == "zh")
    assert min(in_chinese["open"], in_chinese["closed"]) >= 10
    letters = Counter(question.gold for question in questions if question.kind == "choice")
    assert sorted(letters) == list("ABCDE") and max(letters.values()) < letters.total() / 2


def test_answers_about_the_width_follow_from_the_picture(questions):
    checked = Counter()
    for question in questions:
        asked = re.search(
            r"(How many) pixels wide|is(?: picture)? (\d+) pixels wide|(多少)像素|宽度是(\d+)像素",
            question.text,
        )
        if not asked:
            continue
        images = [image if isinstance(image, bytes) else image.read() for image in question.images]
        widths = [decode(image).shape[1] for image in images]
        stated = asked[2] or asked[4]
        if question.kind == "choice" and stated:
            assert int(stated) == widths.pop("ABC".index(question.gold))
            assert int(stated) not in widths
        elif stated:
            assert (int(stated) in widths) == (question.gold in ("yes", "Yes", "是"))
        else:
            answer = question.options.get(question.gold, question.gold)
            assert int(answer) == widths[0]
        checked[question.benchmark] += 1
    assert len(checked) >= 6
