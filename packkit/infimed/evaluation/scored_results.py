"""Scored results: a folder of results opened with one of its files of scores, under a label.

Tables, comparisons and pages of cases are made of them. Scores of other answers than the folder
holds are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import Results, answers_hash
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Verdict, read_verdicts


class ScoredQuestion(NamedTuple):
    """A question, and the verdict on the answer to it.

    Attributes:
        question: Question of a benchmark, without its images.
        verdict: Verdict on the model's answer.
    """

    question: Question
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredResults:
    """Results of one model, and one scoring of them.

    Attributes:
        label: Name under which tables show the results.
        scoring: Name of the scoring, as `packkit.infimed.evaluation.results.scoring_name` gives it.
        results: Folder of the results.
        scores: Scores of the answers as the folder holds them now.
    """

    label: str
    scoring: str
    results: Results
    scores: ScoreFile

    @property
    def method(self) -> Method:
        """How the answers were asked for and decided on."""
        return self.scores.method

    def verdicts(self) -> dict[str, dict[str, ScoredQuestion]]:
        """Reads all questions with their verdicts: benchmark -> key of the question -> both.

        Raises:
            FormatError: The verdicts are not those that the scores count.
            OSError: The verdicts cannot be read.
        """
        path = self.results.verdicts_file(self.scoring)
        verdicts = {
            (verdict.benchmark, verdict.question): verdict for verdict in read_verdicts(path)
        }
        return {name: self._scored(name, verdicts, path) for name in self.scores.benchmarks}

    def _scored(
        self, benchmark: str, verdicts: Mapping[tuple[str, str], Verdict], path: Path
    ) -> dict[str, ScoredQuestion]:
        """Returns the questions of a benchmark with their verdicts, by key."""
        questions = self.results.questions(benchmark)
        names = [(benchmark, question.key) for question in questions]
        known = [verdicts[name] for name in names if name in verdicts]
        is_whole = len(known) == len(questions)
        if not is_whole or tally_verdicts(questions, known) != self.scores.benchmarks[benchmark]:
            reason = f"verdicts on {benchmark} are not those that the scores count: score again"
            raise FormatError(path, reason)
        pairs = zip(questions, known, strict=True)
        return {question.key: ScoredQuestion(question, verdict) for question, verdict in pairs}


def open_scored(name: str, scoring: str | None = None) -> ScoredResults:
    """Reads the scores of one folder of results.

    Args:
        name: Folder of results, whose name becomes the label, or ``LABEL=PATH``; or one of the
            files in its ``scores``, which names the scoring too.
        scoring: Name of the scoring, such as ``medevalkit+gpt-4.1``; None where the folder has only
            one, beside those of judges that gave no verdict at all.

    Raises:
        InputError: There are no such scores, several where `scoring` is None, or scores of other
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
            f"{path}: {scoring} scores other answers than are there now: score the results again"
        )
    return ScoredResults(label=label, scoring=scoring, results=results, scores=scores)


def open_all(names: Iterable[str], scoring: str | None = None) -> list[ScoredResults]:
    """Reads the scores of several folders, as `open_scored` does.

    Raises:
        InputError: No folder is named, or two have the same label.
    """
    opened = [open_scored(name, scoring) for name in names]
    if not opened:
        raise InputError("no results: name a folder, or LABEL=PATH")
    label, count = Counter(results.label for results in opened).most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} results have the label {label}: give each its own, LABEL=PATH")
    return opened


def _label_and_path(name: str) -> tuple[str, Path]:
    """Splits ``LABEL=PATH``; the label of a path alone is empty."""
    label, equals, path = name.partition("=")
    # A folder may well have an equals sign in its name.
    if equals and label and not Path(name).exists():
        return label, Path(path)
    return "", Path(name)


def _is_decided(results: Results, scoring: str) -> bool:
    """Whether the judge of a scoring gave any verdict, or was asked for none."""
    verdicts = read_verdicts(results.verdicts_file(scoring))
    judged = [verdict for verdict in verdicts if verdict.by == "judge"]
    return not judged or any(verdict.outcome != "judge_failed" for verdict in judged)


def _scoring(results: Results, name: str | None) -> str:
    known = results.scorings()
    if not known:
        raise InputError(f"{results.folder}: holds no scores: score the results first")
    if name is None and len(known) > 1:
        known = [scoring for scoring in known if _is_decided(results, scoring)] or known
    if name is None and len(known) > 1:
        raise InputError(f"{results.folder}: scoring must name one of {', '.join(known)}")
    if name is not None and name not in known:
        raise InputError(f"{results.folder}: has no scoring {name}, only {', '.join(known)}")
    return known[0] if name is None else name
