"""Folders of results, as `packkit eval run` leaves them, written without a model."""

from packkit.infimed.chat import AnswerLog
from packkit.infimed.evaluation.prompts import PROMPT_VERSION
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import (
    ANSWER_IDENTITY,
    GivenAnswer,
    Results,
    Settings,
    question_lines,
    question_set,
)


def question(key, kind="open", gold="aorta", *, benchmark="vqa-rad", **fields):
    """A question of a benchmark."""
    text = fields.pop("text", f"What is seen in image {key}?")
    return Question(benchmark=benchmark, key=key, text=text, kind=kind, gold=gold, **fields)


def choice(key, gold="B", options="ABCD", *, benchmark="pmc-vqa", **fields):
    """A multiple-choice question whose options are words of their own."""
    texts = {letter: f"{letter.lower()}orta" for letter in options}
    return question(key, "choice", gold, benchmark=benchmark, options=texts, **fields)


def answered(one, reply, state="ok", **fields):
    """The line of an answer."""
    failed = {} if state == "ok" else {"error": state}
    line = {"text": reply, "tokens": len(reply), "is_cut": False, "error": "", **failed, **fields}
    return GivenAnswer(benchmark=one.benchmark, question=one.key, state=state, **line)


def fill(folder, answers, **settings):
    """Writes a folder; `answers` are pairs of question and reply, or line of an answer."""
    results = Results(folder)
    by_benchmark = {}
    for one, _ in answers:
        by_benchmark.setdefault(one.benchmark, []).append(one)
    lines = {name: question_lines(of) for name, of in by_benchmark.items()}
    for name, of in lines.items():
        results.write_questions(name, of)
    sets = {name: question_set(of, folder / name) for name, of in lines.items()}
    given = {"model": "m", "backend": "packkit", "max_new_tokens": 64, **settings}
    results.write_settings(Settings(prompt_version=PROMPT_VERSION, benchmarks=sets, **given))
    with AnswerLog(results.answers_file, ANSWER_IDENTITY) as log:
        for one, reply in answers:
            line = reply if isinstance(reply, GivenAnswer) else answered(one, reply)
            log.append({name: getattr(line, name) for name in line.__slots__})
    return results
