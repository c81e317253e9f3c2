"""Scored results as tables and comparisons take them: under a label, and fresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import Results, answers_hash
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Verdict, read_verdicts


class Method(NamedTuple):
    """How answers were asked for and decided on; figures of two methods cannot be compared.

    Attributes:
        scorer: Name of the rules.
        scorer_version: Of the rules.
        seed: Of the draws of the rules; None where they draw nothing.
        judge: Model that decided on open questions; None where the rules did.
        judge_prompt_version: Of what it was asked; None without a judge.
        prompt_version: Of what the model was asked.
    """

    scorer: str
    scorer_version: str
    seed: int | None
    judge: str | None
    judge_prompt_version: str | None
    prompt_version: str

    @classmethod
    def of(cls, scores: ScoreFile) -> Self:
        """Returns the method of scores."""
        return cls(*(getattr(scores, name) for name in cls._fields))

    def __str__(self) -> str:
        judge = "no judge"
        if self.judge is not None:
            judge = f"judge {self.judge} (prompt {self.judge_prompt_version})"
        seed = "" if self.seed is None else f" (seed {self.seed})"
        scorer = f"scorer {self.scorer} {self.scorer_version}{seed}"
        return f"{scorer}, {judge}, asked by prompt {self.prompt_version}"


class Decided(NamedTuple):
    """A question, and what was decided about the answer to it.

    Attributes:
        question: Without its images.
        verdict: What was decided.
    """

    question: Question
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredResults:
    """Results of one model, and one scoring of them.

    Attributes:
        label: What tables call it.
        scoring: Name of the scoring, as `packkit.infimed.evaluation.results.scoring_name` gives it.
        results: The folder.
        scores: Of its answers as they are now.
    """

    label: str
    scoring: str
    results: Results
    scores: ScoreFile

    @property
    def method(self) -> Method:
        """How its answers were asked for and decided on."""
        return Method.of(self.scores)

    def verdicts(self) -> dict[str, dict[str, Decided]]:
        """Reads what was decided about each answer: benchmark -> key of the question -> both.

        Raises:
            FormatError: These are not the verdicts that the scores count.
            OSError: They cannot be read.
        """
        path = self.results.verdicts_file(self.scoring)
        found = {(one.benchmark, one.question): one for one in read_verdicts(path)}
        return {name: self._decided(name, found, path) for name in self.scores.benchmarks}

    def _decided(
        self, benchmark: str, found: Mapping[tuple[str, str], Verdict], path: Path
    ) -> dict[str, Decided]:
        questions = self.results.questions(benchmark)
        verdicts = [found[benchmark, one.key] for one in questions if (benchmark, one.key) in found]
        is_whole = len(verdicts) == len(questions)
        if not is_whole or tally_verdicts(questions, verdicts) != self.scores.benchmarks[benchmark]:
            reason = f"verdicts on {benchmark} are not those that the scores count: score again"
            raise FormatError(path, reason)
        pairs = zip(questions, verdicts, strict=True)
        return {question.key: Decided(question, verdict) for question, verdict in pairs}


def open_scored(name: str, scoring: str | None = None) -> ScoredResults:
    """Reads the scores of one folder of results.

    Args:
        name: The folder, which is its label too, or ``LABEL=PATH``; or one of the files in its
            ``scores``, which says at once which scores are meant.
        scoring: Which scores, such as ``medevalkit+gpt-4.1``; None where there is but one.

    Raises:
        InputError: There are no such scores, several where none is named, or they are of other
            answers than the folder holds now.
        FormatError: A file in the folder is not what it should be.
    """
    label, path = _label_and_path(name)
    if path.is_file() and path.parent.name == "scores":
        scoring, path = path.stem, path.resolve().parents[1]
    label, results = label or path.resolve().name, Results(path)
    results.settings()
    scoring = _scoring(results, scoring)
    scores = ScoreFile.read(results.scores_file(scoring))
    if scores.answers != answers_hash(results.answers()):
        raise InputError(
            f"{path}: {scoring} scores other answers than are there now: packkit eval score again"
        )
    return ScoredResults(label=label, scoring=scoring, results=results, scores=scores)


def open_all(names: Iterable[str], scoring: str | None = None) -> list[ScoredResults]:
    """Reads the scores of several folders, as `open_scored` does.

    Raises:
        InputError: There is no folder, or two have one label.
    """
    opened = [open_scored(name, scoring) for name in names]
    if not opened:
        raise InputError("no results: name a folder, or LABEL=PATH")
    label, count = Counter(one.label for one in opened).most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} results have the label {label}: give each its own, LABEL=PATH")
    return opened


def describe_mix(methods: Sequence[Method]) -> str:
    """Returns in words in what methods differ; nothing where they do not.

    >>> one = Method("strict", "1", None, None, None, "1")
    >>> describe_mix([one, one._replace(judge="j", judge_prompt_version="1")])
    'judge: none, j; judge prompt version: none, 1'
    """
    parts = []
    for name, values in zip(Method._fields, zip(*methods, strict=True), strict=True):
        distinct = dict.fromkeys("none" if value is None else str(value) for value in values)
        if len(distinct) > 1:
            parts.append(f"{name.replace('_', ' ')}: {', '.join(distinct)}")
    return "; ".join(parts)


def _label_and_path(name: str) -> tuple[str, Path]:
    """Splits what the user named; without a label that is empty."""
    label, equals, path = name.partition("=")
    # A folder may well have an equals sign in its name.
    if equals and label and not Path(name).exists():
        return label, Path(path)
    return "", Path(name)


def _scoring(results: Results, name: str | None) -> str:
    known = results.scorings()
    if not known:
        raise InputError(f"{results.folder}: holds no scores: packkit eval score makes them")
    if name is None and len(known) > 1:
        raise InputError(
            f"{results.folder}: name one of its scorings by --scoring: {', '.join(known)}"
        )
    if name is not None and name not in known:
        raise InputError(f"{results.folder}: has no scoring {name}, only {', '.join(known)}")
    return known[0] if name is None else name
