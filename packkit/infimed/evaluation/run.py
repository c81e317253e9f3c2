"""Has a model answer benchmarks; a run that was stopped goes on where it stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from packkit.base.errors import InputError
from packkit.infimed.chat import AnswerLog
from packkit.infimed.evaluation.answering import Answerer, Request
from packkit.infimed.evaluation.benchmarks import find_benchmark, read_benchmark
from packkit.infimed.evaluation.prompts import PROMPT_VERSION, prompt_for
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import (
    ANSWER_IDENTITY,
    GivenAnswer,
    Results,
    Settings,
    parse_answers,
    question_lines,
    question_set,
)

# Enough to say what is wrong.
_SHOWN = 3

OnAnswer = Callable[[int, int], None]
"""Is told how many questions are answered so far, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport:
    """What became of one benchmark.

    Attributes:
        questions: Of the benchmark.
        answered: Of them, earlier runs included.
        refused: Of those answered, stopped by a content filter.
        cut: Of those answered, cut off at the limit of tokens.
        failed: Without an answer; the next run asks for them again.
        errors: Why, the first few.
    """

    questions: int
    answered: int
    refused: int
    cut: int
    failed: int
    errors: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersReport:
    """What a run came to.

    Attributes:
        out: Folder of the results.
        model: That answered.
        backend: What ran it.
        benchmarks: Name -> what became of it.
        answers: Of this run.
        seconds: That answering took.
        torn_bytes: Of an unfinished last line, left by a run that was killed and now cut off.
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
        """How fast this run was."""
        return self.answers / self.seconds if self.answers else 0.0

    @property
    def failed(self) -> int:
        """Questions without an answer."""
        return sum(one.failed for one in self.benchmarks.values())

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        figures = {"answers_per_second": self.answers_per_second, "failed": self.failed}
        return {**asdict(self), **figures}


def parse_benchmarks(specs: Iterable[str]) -> dict[str, Path]:
    """Reads what the user calls benchmarks: ``NAME=PATH`` each.

    Raises:
        InputError: One is something else or is there twice, or its files are not there.
    """
    found: dict[str, Path] = {}
    for spec in specs:
        name, equals, path = spec.partition("=")
        if not (name and equals and path):
            raise InputError(f"a benchmark must be NAME=PATH, got {spec!r}")
        if name in found:
            raise InputError(f"benchmark {name} is named twice: {found[name]}, {path}")
        find_benchmark(name, Path(path))
        found[name] = Path(path)
    return found


def run_benchmarks(
    answerer: Answerer,
    benchmarks: Mapping[str, Path],
    out: str | Path,
    *,
    on_progress: OnAnswer | None = None,
) -> AnswersReport:
    """Has a model answer every question of some benchmarks, each once.

    Every answer is on disk as soon as it is there: a run that is killed loses those that are being
    written and nothing else. More benchmarks may be added to a folder, the model may not change.

    Args:
        answerer: Who answers; see `packkit.infimed.evaluation.answering.open_answerer`.
        benchmarks: Name -> its local copy.
        out: Folder of the results.
        on_progress: Called whenever there is another answer.

    Raises:
        InputError: A benchmark is not there, or the folder holds results of something else.
        FormatError: A benchmark or a file in the folder is not what it should be.
        SampleError: An image is broken, and of which question.
        AccessError: An endpoint answers no request.
        LockedError: Another run writes to the folder.
        KeyboardInterrupt: Ctrl-C ended the run; what was answered is kept.
    """
    results = Results(out)
    questions = {name: read_benchmark(name, path) for name, path in benchmarks.items()}
    asked = [one for of in questions.values() for one in of]
    with AnswerLog(results.answers_file, ANSWER_IDENTITY) as log:
        answers = parse_answers(results.answers_file, list(log.records.values()))
        _claim(results, answerer, questions, benchmarks, answers)
        left = [one for one in asked if not _is_answered(one, answers)]
        start, done = monotonic(), len(asked) - len(left)

        def keep(answer: GivenAnswer) -> None:
            nonlocal done
            log.append(asdict(answer))
            answers[answer.identity] = answer
            done += answer.is_final
            if on_progress is not None:
                on_progress(done, len(asked))

        answerer.answer_all([_request(one) for one in left], keep)
        return AnswersReport(
            out=str(out),
            model=answerer.model,
            backend=answerer.backend,
            benchmarks={name: _report(of, answers) for name, of in questions.items()},
            answers=sum(_is_answered(one, answers) for one in left),
            seconds=monotonic() - start,
            torn_bytes=log.torn_bytes,
        )


def _claim(
    results: Results,
    answerer: Answerer,
    questions: Mapping[str, Sequence[Question]],
    benchmarks: Mapping[str, Path],
    answers: Mapping[tuple[str, str], GivenAnswer],
) -> None:
    """Writes what is asked of whom, and makes sure that the folder holds nothing else.

    Raises:
        InputError: It does.
    """
    settings = Settings(
        model=answerer.model,
        backend=answerer.backend,
        max_new_tokens=answerer.max_new_tokens,
        prompt_version=PROMPT_VERSION,
    )
    # A folder without an answer is anybody's, such as after a run that no model answered.
    has_answers = any(answer.is_final for answer in answers.values())
    kept = results.settings() if has_answers else settings
    for name in ("model", "backend", "max_new_tokens", "prompt_version"):
        before, now = getattr(kept, name), getattr(settings, name)
        if before != now:
            raise InputError(f"{results.folder}: holds answers of {name} {before}, not {now}")
    sets = dict(kept.benchmarks)
    for name, of in questions.items():
        lines = question_lines(of)
        fresh = question_set(lines, benchmarks[name].resolve())
        if name in sets and sets[name].hash != fresh.hash:
            raise InputError(
                f"{results.folder}: holds answers to other questions of {name}, read from "
                f"{sets[name].path}"
            )
        sets[name] = fresh
        results.write_questions(name, lines)
    results.write_settings(replace(settings, benchmarks=sets))


def _is_answered(question: Question, answers: Mapping[tuple[str, str], GivenAnswer]) -> bool:
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
    questions: Sequence[Question], answers: Mapping[tuple[str, str], GivenAnswer]
) -> BenchmarkReport:
    found = [answers.get((one.benchmark, one.key)) for one in questions]
    given = [one for one in found if one is not None and one.is_final]
    errors = dict.fromkeys(one.error for one in found if one is not None and not one.is_final)
    return BenchmarkReport(
        questions=len(questions),
        answered=len(given),
        refused=sum(answer.state == "refused" for answer in given),
        cut=sum(answer.is_cut for answer in given),
        failed=len(questions) - len(given),
        errors=list(errors)[:_SHOWN],
    )
