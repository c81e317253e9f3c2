"""Folders of results, as a run leaves them, written without a model."""

from packkit.infimed.chat import AnswerLog
from packkit.infimed.evaluation.question_prompt import PROMPT_VERSION
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import (
    ANSWER_IDENTITY,
    AnswerRecord,
    Results,
    RunSettings,
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


def answered(asked, reply, state="ok", **fields):
    """The record of an answer to a question."""
    failed = {} if state == "ok" else {"error": state}
    line = {"text": reply, "tokens": len(reply), "is_cut": False, "error": "", **failed, **fields}
    return AnswerRecord(benchmark=asked.benchmark, question=asked.key, state=state, **line)


def fill(folder, answers, **settings):
    """Writes a folder; `answers` are pairs of question and reply, or record of an answer."""
    results = Results(folder)
    questions = {}
    for asked, _ in answers:
        questions.setdefault(asked.benchmark, []).append(asked)
    lines = {name: question_lines(group) for name, group in questions.items()}
    for name, data in lines.items():
        results.write_questions(name, data)
    sets = {name: question_set(data, folder / name) for name, data in lines.items()}
    given = {"model": "m", "backend": "packkit", "max_new_tokens": 64, **settings}
    results.write_settings(RunSettings(prompt_version=PROMPT_VERSION, benchmarks=sets, **given))
    with AnswerLog(results.answers_file, ANSWER_IDENTITY) as log:
        for asked, reply in answers:
            record = reply if isinstance(reply, AnswerRecord) else answered(asked, reply)
            log.append({name: getattr(record, name) for name in record.__slots__})
    return results
