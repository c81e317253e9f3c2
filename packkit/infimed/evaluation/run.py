"""Has a model answer benchmarks; a run that was stopped goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from packkit.base.errors import InputError
from packkit.infimed.chat import AnswerLog
from packkit.infimed.evaluation.answering import Answerer, Request
from packkit.infimed.evaluation.benchmarks import find_benchmark, read_benchmark
from packkit.infimed.evaluation.question_prompt import PROMPT_VERSION, prompt_for
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import (
    ANSWER_IDENTITY,
    AnswerRecord,
    Results,
    RunSettings,
    parse_answers,
    question_lines,
    question_set,
)

# How many errors a report names.
_SHOWN = 3

OnAnswer = Callable[[int, int], None]
"""Takes the number of questions answered so far, and the number of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport:
    """How many questions of one benchmark have an answer.

    Attributes:
        questions: Number of questions of the benchmark.
        answered: Number of questions with an answer, those of earlier runs included.
        refused: Number of answers that a content filter stopped.
        cut: Number of answers that were cut off at the limit of tokens.
        failed: Number of questions without an answer; the next run asks them again.
        errors: Reasons why questions have no answer, the first few.
    """

    questions: int
    answered: int
    refused: int
    cut: int
    failed: int
    errors: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersReport:
    """The outcome of a run of benchmarks.

    Attributes:
        out: Folder of the results.
        model: Name or path of the model that answered.
        backend: What ran the model: ``packkit``, ``transformers`` or ``endpoint``.
        benchmarks: Name of a benchmark -> how many of its questions have an answer.
        answers: Number of answers that this run added.
        seconds: Time that answering took.
        torn_bytes: Size of an unfinished last line, which a killed run left and this one cut off.
    """

    out: str
    model: str
    backend: str
    benchmarks: Mapping[str, BenchmarkReport]
    answers: int
    seconds: float
    torn_bytes: int

    @property
    def answers_per_second(self) -> float:
        """Speed of this run; 0 where it added no answer."""
        return self.answers / self.seconds if self.answers else 0.0

    @property
    def failed(self) -> int:
        """Number of questions without an answer."""
        return sum(benchmark.failed for benchmark in self.benchmarks.values())

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON."""
        figures = {"answers_per_second": self.answers_per_second, "failed": self.failed}
        return {**asdict(self), **figures}


def parse_benchmarks(specs: Iterable[str]) -> dict[str, Path]:
    """Reads names of benchmarks with their local copies, ``NAME=PATH`` each.

    Raises:
        InputError: A text has another form, a benchmark is named twice, or its files are missing.
    """
    paths: dict[str, Path] = {}
    for spec in specs:
        name, equals, path = spec.partition("=")
        if not (name and equals and path):
            raise InputError(f"a benchmark must be NAME=PATH, got {spec!r}")
        if name in paths:
            raise InputError(f"benchmark {name} is named twice: {paths[name]}, {path}")
        find_benchmark(name, Path(path))
        paths[name] = Path(path)
    return paths


def run_benchmarks(
    answerer: Answerer,
    benchmarks: Mapping[str, Path],
    out: str | Path,
    *,
    on_progress: OnAnswer | None = None,
) -> AnswersReport:
    """Has a model answer every question of some benchmarks, each once.

    Every answer is written as soon as it comes: a run that is killed loses only the answers that
    the model was still writing. Benchmarks may be added to a folder, the model may not change.

    Args:
        answerer: Model to ask; see `packkit.infimed.evaluation.answering.open_answerer`.
        benchmarks: Name of a benchmark -> path of its local copy.
        out: Folder of the results.
        on_progress: Called whenever another answer has come.

    Raises:
        InputError: A benchmark is missing, or the folder holds answers of another model, or to
            other prompts or questions.
        FormatError: A benchmark or a file in the folder is not what it should be.
        SampleError: An image is broken; the message names its question.
        AccessError: An endpoint answers no request.
        LockedError: Another run writes to the folder.
        KeyboardInterrupt: Ctrl-C ended the run; what was answered is kept.
    """
    results = Results(out)
    questions = {name: read_benchmark(name, path) for name, path in benchmarks.items()}
    asked = list(chain.from_iterable(questions.values()))
    with AnswerLog(results.answers_file, ANSWER_IDENTITY) as log:
        answers = parse_answers(results.answers_file, list(log.records.values()))
        _claim(results, answerer, questions, benchmarks, answers)
        left = [question for question in asked if not _is_answered(question, answers)]
        start, done = monotonic(), len(asked) - len(left)

        def keep(answer: AnswerRecord) -> None:
            nonlocal done
            log.append(asdict(answer))
            answers[answer.identity] = answer
            done += answer.is_final
            if on_progress is not None:
                on_progress(done, len(asked))

        answerer.answer_all(list(map(_request, left)), keep)
        return AnswersReport(
            out=str(out),
            model=answerer.model,
            backend=answerer.backend,
            benchmarks={name: _report(group, answers) for name, group in questions.items()},
            answers=sum(_is_answered(question, answers) for question in left),
            seconds=monotonic() - start,
            torn_bytes=log.torn_bytes,
        )


def _claim(
    results: Results,
    answerer: Answerer,
    questions: Mapping[str, Sequence[Question]],
    benchmarks: Mapping[str, Path],
    answers: Mapping[tuple[str, str], AnswerRecord],
) -> None:
    """Writes settings and questions, and makes sure that the folder holds answers to no others.

    Raises:
        InputError: The folder holds answers of another model, or to other prompts or questions.
    """
    settings = RunSettings(
        model=answerer.model,
        backend=answerer.backend,
        max_new_tokens=answerer.max_new_tokens,
        prompt_version=PROMPT_VERSION,
    )
    # A folder without an answer, such as after a run that no model answered, may be taken over.
    has_answers = any(answer.is_final for answer in answers.values())
    saved = results.settings() if has_answers else settings
    for name in ("model", "backend", "max_new_tokens", "prompt_version"):
        before, now = getattr(saved, name), getattr(settings, name)
        if before != now:
            raise InputError(f"{results.folder}: holds answers of {name} {before}, not {now}")
    question_sets = dict(saved.benchmarks)
    for name, group in questions.items():
        lines = question_lines(group)
        current = question_set(lines, benchmarks[name].resolve())
        if name in question_sets and question_sets[name].hash != current.hash:
            raise InputError(
                f"{results.folder}: holds answers to other questions of {name}, read from "
                f"{question_sets[name].path}"
            )
        question_sets[name] = current
        results.write_questions(name, lines)
    results.write_settings(replace(settings, benchmarks=question_sets))


def _is_answered(question: Question, answers: Mapping[tuple[str, str], AnswerRecord]) -> bool:
    answer = answers.get((question.benchmark, question.key))
    return answer is not None and answer.is_final


def _request(question: Question) -> Request:
    return Request(
        benchmark=question.benchmark,
        question=question.key,
        prompt=prompt_for(question),
        images=question.images,
    )


def _report(
    questions: Sequence[Question], answers: Mapping[tuple[str, str], AnswerRecord]
) -> BenchmarkReport:
    asked = [answers.get((question.benchmark, question.key)) for question in questions]
    records = [record for record in asked if record is not None]
    final = [record for record in records if record.is_final]
    errors = dict.fromkeys(record.error for record in records if not record.is_final)
    return BenchmarkReport(
        questions=len(questions),
        answered=len(final),
        refused=sum(answer.state == "refused" for answer in final),
        cut=sum(answer.is_cut for answer in final),
        failed=len(questions) - len(final),
        errors=list(errors)[:_SHOWN],
    )
