"""The folder of one model's results.

    run.json               who answered, how it was asked, which questions
    questions/slake.jsonl  the questions of a benchmark, without images
    answers.jsonl          answers, a line each, as they came
    judgements.jsonl       what judges said of answers, as it came
    scores/NAME.json       what was counted; NAME is the scorer, and the judge where there is one
    verdicts/NAME.jsonl    what was decided about each answer

Questions and answers are all that scoring needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

import orjson
import xxhash

from packkit.base.errors import FormatError, InputError
from packkit.base.files import write_atomically
from packkit.infimed.chat import read_answers
from packkit.infimed.evaluation.questions import Question

ANSWER_IDENTITY = ("benchmark", "question")
"""Fields that tell what an answer is of."""

AnswerState = Literal["ok", "refused", "http_error"]
"""``refused``: a content filter stopped it, which is an answer that says nothing. ``http_error``:
there is no answer yet."""

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """What a model answered to one question, as one line of the answers.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        state: Whether there is an answer.
        text: All that the model wrote; empty unless ok.
        tokens: That it wrote; None where that is not known.
        is_cut: Whether it was cut off at the limit of tokens.
        error: What went wrong; empty if ok.
    """

    benchmark: str
    question: str
    state: AnswerState
    text: str
    tokens: int | None
    is_cut: bool
    error: str

    def __post_init__(self) -> None:
        if self.state not in get_args(AnswerState):
            raise ValueError(f"state must be one of {', '.join(get_args(AnswerState))}")
        kinds = {"text": str, "error": str, "is_cut": bool, "tokens": int | None}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} is {getattr(self, name)!r}")

    @property
    def is_final(self) -> bool:
        """Whether it is not to be asked for again."""
        return self.state != "http_error"

    @property
    def identity(self) -> tuple[str, str]:
        """What its line is known by."""
        return self.benchmark, self.question


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The questions of one benchmark, as run.json names them.

    Attributes:
        path: Where the benchmark was read from.
        questions: Their number.
        hash: Of their file, 16 hexadecimal digits.
    """

    path: str
    questions: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What run.json holds: what all answers in a folder have in common.

    Attributes:
        model: That answers.
        backend: What runs it: ``packkit``, ``transformers`` or ``endpoint``.
        max_new_tokens: Where an answer ends at the latest.
        prompt_version: Of what is asked.
        benchmarks: Name -> its questions.
        version: Of this file.
    """

    model: str
    backend: str
    max_new_tokens: int
    prompt_version: str
    benchmarks: Mapping[str, QuestionSet] = field(default_factory=dict)
    version: int = _VERSION


class Results:
    """A folder of results; it need not be there yet.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.answers_file = self.folder / "answers.jsonl"
        self.judgements_file = self.folder / "judgements.jsonl"
        self._settings_file = self.folder / "run.json"

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self._settings_file.exists()

    def scores_file(self, name: str) -> Path:
        """Returns where the scores of a `scoring_name` stand."""
        return self.folder / "scores" / f"{name}.json"

    def verdicts_file(self, name: str) -> Path:
        """Returns where the verdicts of a `scoring_name` stand."""
        return self.folder / "verdicts" / f"{name}.jsonl"

    def scorings(self) -> list[str]:
        """Returns the names of all scores that there are, sorted."""
        return sorted(path.stem for path in (self.folder / "scores").glob("*.json"))

    def settings(self) -> Settings:
        """Reads run.json.

        Raises:
            InputError: There is none.
            FormatError: It is something else, or of another version.
        """
        if not self.exists:
            raise InputError(f"{self.folder}: holds no results: run.json is missing")
        try:
            record = orjson.loads(self._settings_file.read_bytes())
            if record["version"] != _VERSION:
                reason = f"version must be {_VERSION}, got {record['version']}"
                raise FormatError(self._settings_file, reason)
            sets = {name: QuestionSet(**one) for name, one in record.pop("benchmarks").items()}
            return Settings(**record, benchmarks=sets)
        except (AttributeError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise FormatError(self._settings_file, f"not of packkit eval run: {error}") from None

    def write_settings(self, settings: Settings) -> None:
        """Writes run.json."""
        data = orjson.dumps(asdict(settings), option=orjson.OPT_INDENT_2)
        write_atomically(self._settings_file, data)

    def write_questions(self, benchmark: str, lines: bytes) -> None:
        """Writes the `question_lines` of one benchmark."""
        write_atomically(self._questions_file(benchmark), lines)

    def questions(self, benchmark: str) -> list[Question]:
        """Reads the questions of one benchmark, without images.

        Raises:
            InputError: This folder has none of it.
            FormatError: The file is not the one that was written.
        """
        if benchmark not in (sets := self.settings().benchmarks):
            raise InputError(f"{self.folder}: has no {benchmark}, only {', '.join(sets)}")
        path = self._questions_file(benchmark)
        data = path.read_bytes()
        if _hash(data) != sets[benchmark].hash:
            raise FormatError(path, "is not the file that run.json names: its hash differs")
        return [Question.from_dict(orjson.loads(line)) for line in data.splitlines()]

    def answers(self) -> dict[tuple[str, str], GivenAnswer]:
        """Reads all answers, by benchmark and key of the question.

        Raises:
            FormatError: The file holds something else.
        """
        if not self.answers_file.exists():
            return {}
        return parse_answers(self.answers_file, read_answers(self.answers_file, ANSWER_IDENTITY))

    def _questions_file(self, benchmark: str) -> Path:
        return self.folder / "questions" / f"{benchmark}.jsonl"


def answers_hash(answers: Mapping[tuple[str, str], GivenAnswer]) -> str:
    """Returns a hash of what was answered, whatever the order: 16 hexadecimal digits."""
    said = sorted((*answer.identity, answer.state, answer.text) for answer in answers.values())
    return _hash(orjson.dumps(said))


def question_lines(questions: Sequence[Question]) -> bytes:
    """Returns questions as lines of JSON, without their images."""
    lines = [orjson.dumps(one.to_dict(), option=orjson.OPT_APPEND_NEWLINE) for one in questions]
    return b"".join(lines)


def question_set(lines: bytes, path: str | Path) -> QuestionSet:
    """Returns what run.json says of the questions of one benchmark.

    Args:
        lines: `question_lines` of all of it.
        path: Where they were read from.
    """
    return QuestionSet(path=str(path), questions=lines.count(b"\n"), hash=_hash(lines))


def parse_answers(
    path: Path, records: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], GivenAnswer]:
    """Returns lines of answers by what they are of.

    Args:
        path: Their file, for messages.
        records: The lines.

    Raises:
        FormatError: A line is no answer.
    """
    try:
        answers = [GivenAnswer(**record) for record in records]
    except (TypeError, ValueError) as error:
        raise FormatError(path, f"no line of an answer: {error}") from None
    return {answer.identity: answer for answer in answers}


def scoring_name(scorer: str, judge: str | None, seed: int | None = None) -> str:
    """Returns what the scores by a scorer and a judge are filed under, a name for each.

    >>> scoring_name("strict", None), scoring_name("medevalkit", "Qwen/Qwen3-32B", 1)
    ('strict', 'medevalkit-seed1+Qwen%2FQwen3-32B')
    """
    drawn = f"{scorer}-seed{seed}" if seed else scorer
    return drawn if judge is None else f"{drawn}+{quote(judge, safe='')}"


def _hash(data: bytes) -> str:
    return xxhash.xxh3_64_hexdigest(data)
