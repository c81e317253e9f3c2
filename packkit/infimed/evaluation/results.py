"""The folder of one model's results.

    run.json               settings of the run: model, prompts, benchmarks
    questions/slake.jsonl  questions of a benchmark, without images
    answers.jsonl          answers of the model, as they came
    judgements.jsonl       judgements of answers, as they came
    verdicts/NAME.jsonl    verdicts on the answers; NAME is the scorer, and the judge if any
    scores/NAME.json       tallies of these verdicts

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
"""Fields that identify an answer."""

AnswerState = Literal["ok", "refused", "http_error"]
"""``refused``: a content filter stopped the reply, which counts as an empty one.
``http_error``: there is no answer yet."""

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """One line of answers.jsonl: what came of asking a model one question.

    Attributes:
        benchmark: Name of the benchmark.
        question: Key of the question.
        state: Whether there is an answer.
        text: Reply of the model, all that it wrote; empty unless ok.
        tokens: Tokens of the reply; None where their number is not known.
        is_cut: Whether the reply was cut off at the limit of tokens.
        error: Description of what went wrong; empty if ok.
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
        """Whether the question need not be asked again."""
        return self.state != "http_error"

    @property
    def identity(self) -> tuple[str, str]:
        """Name of the benchmark and key of the question."""
        return self.benchmark, self.question


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The questions of one benchmark, as run.json names them.

    Attributes:
        path: Path that the benchmark was read from.
        questions: Number of questions.
        hash: Hash of the file of questions, 16 hexadecimal digits.
    """

    path: str
    questions: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What run.json holds: what all answers in a folder have in common.

    Attributes:
        model: Name or path of the model that answers.
        backend: What runs the model: ``packkit``, ``transformers`` or ``endpoint``.
        max_new_tokens: Tokens that a reply may have.
        prompt_version: Version of the wording in which questions are asked.
        benchmarks: Name of a benchmark -> its questions.
        version: Version of the file's format.
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
        folder: Path of the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.answers_file = self.folder / "answers.jsonl"
        self.judgements_file = self.folder / "judgements.jsonl"
        self._settings_file = self.folder / "run.json"

    @property
    def exists(self) -> bool:
        """Whether a run has been started in the folder."""
        return self._settings_file.exists()

    def scores_file(self, name: str) -> Path:
        """Returns the path of the scores that are filed under a `scoring_name`."""
        return self.folder / "scores" / f"{name}.json"

    def verdicts_file(self, name: str) -> Path:
        """Returns the path of the verdicts that are filed under a `scoring_name`."""
        return self.folder / "verdicts" / f"{name}.jsonl"

    def scorings(self) -> list[str]:
        """Returns the `scoring_name` of every file of scores, sorted."""
        return sorted(path.stem for path in (self.folder / "scores").glob("*.json"))

    def settings(self) -> RunSettings:
        """Reads run.json.

        Raises:
            InputError: The folder has no run.json.
            FormatError: The file does not hold settings of a run, or is of another version.
        """
        if not self.exists:
            raise InputError(f"{self.folder}: holds no results: run.json is missing")
        try:
            record = orjson.loads(self._settings_file.read_bytes())
            if record["version"] != _VERSION:
                reason = f"version must be {_VERSION}, got {record['version']}"
                raise FormatError(self._settings_file, reason)
            benchmarks = {
                name: QuestionSet(**fields) for name, fields in record.pop("benchmarks").items()
            }
            return RunSettings(**record, benchmarks=benchmarks)
        except (AttributeError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise FormatError(self._settings_file, f"not the settings of a run: {error}") from None

    def write_settings(self, settings: RunSettings) -> None:
        """Writes run.json."""
        data = orjson.dumps(asdict(settings), option=orjson.OPT_INDENT_2)
        write_atomically(self._settings_file, data)

    def write_questions(self, benchmark: str, lines: bytes) -> None:
        """Writes the `question_lines` of one benchmark."""
        write_atomically(self._questions_file(benchmark), lines)

    def questions(self, benchmark: str) -> list[Question]:
        """Reads the questions of one benchmark, without images.

        Raises:
            InputError: The folder has no such benchmark.
            FormatError: The file is not the one that was written.
        """
        if benchmark not in (known := self.settings().benchmarks):
            raise InputError(f"{self.folder}: has no {benchmark}, only {', '.join(known)}")
        path = self._questions_file(benchmark)
        data = path.read_bytes()
        if _hash(data) != known[benchmark].hash:
            raise FormatError(path, "is not the file that run.json names: its hash differs")
        return [Question.from_dict(orjson.loads(line)) for line in data.splitlines()]

    def answers(self) -> dict[tuple[str, str], AnswerRecord]:
        """Reads all answers, by benchmark and key of the question.

        Raises:
            FormatError: A line of the file is no answer.
        """
        if not self.answers_file.exists():
            return {}
        return parse_answers(self.answers_file, read_answers(self.answers_file, ANSWER_IDENTITY))

    def _questions_file(self, benchmark: str) -> Path:
        return self.folder / "questions" / f"{benchmark}.jsonl"


def answers_hash(answers: Mapping[tuple[str, str], AnswerRecord]) -> str:
    """Returns a hash of the replies, whatever their order: 16 hexadecimal digits."""
    replies = sorted((*answer.identity, answer.state, answer.text) for answer in answers.values())
    return _hash(orjson.dumps(replies))


def question_lines(questions: Sequence[Question]) -> bytes:
    """Returns questions as lines of JSON, without their images."""
    options = orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(question.to_dict(), option=options) for question in questions)


def question_set(lines: bytes, path: str | Path) -> QuestionSet:
    """Returns what run.json says about the questions of one benchmark.

    Args:
        lines: `question_lines` of all questions of the benchmark.
        path: Path that the benchmark was read from.
    """
    return QuestionSet(path=str(path), questions=lines.count(b"\n"), hash=_hash(lines))


def parse_answers(
    path: Path, records: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], AnswerRecord]:
    """Returns answers by benchmark and key of the question.

    Args:
        path: Path of the file of answers, for messages.
        records: Lines of the file, as JSON objects.

    Raises:
        FormatError: A line is no answer.
    """
    try:
        answers = [AnswerRecord(**fields) for fields in records]
    except (TypeError, ValueError) as error:
        raise FormatError(path, f"no line of an answer: {error}") from None
    return {answer.identity: answer for answer in answers}


def scoring_name(scorer: str, judge: str | None, seed: int | None = None) -> str:
    """Returns the name that the scores by a scorer, a judge and a seed are filed under.

    >>> scoring_name("strict", None), scoring_name("medevalkit", "Qwen/Qwen3-32B", 1)
    ('strict', 'medevalkit-seed1+Qwen%2FQwen3-32B')
    """
    drawn = f"{scorer}-seed{seed}" if seed else scorer
    return drawn if judge is None else f"{drawn}+{quote(judge, safe='')}"


def _hash(data: bytes) -> str:
    return xxhash.xxh3_64_hexdigest(data)
