"""Tables of accuracies: a row for each result, a column for each benchmark.

The paper's Table 2 compares models in this form, its Table 3 the stages of one, whose labels are
then ``1``, ``1+2`` and so on.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, NamedTuple

from packkit.infimed.evaluation.benchmarks import BENCHMARKS, TITLES
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scored_results import Method, ScoredResults, describe_mix
from packkit.infimed.evaluation.tallies import BenchmarkSummary, Tally

AVERAGE = "average"
"""What stands in place of a benchmark's name where the mean over all of them is given."""

PART_COLUMNS = ("questions", "n", "right", "unparsed", "judge failed", "accuracy")
"""What stands above each cell of a `Part`."""

_COUNTS = ("n", "decided", "right", "unparsed", "judge_failed")
_NOT_KNOWN = "-"

# A bracket alone means nothing; one that closes before these may make a link.
_MARKUP = re.compile(r"([\\`*_<>|&~$#]|\](?=[(\[:]))")


class Part(NamedTuple):
    """Some questions of a benchmark, and how they were decided.

    Attributes:
        benchmark: Its name.
        name: ``all``, ``closed``, ``open``, or what they have in common, as ``modality: CT``.
        tally: Counts.
    """

    benchmark: str
    name: str
    tally: Tally

    def cells(self) -> list[str]:
        """Returns its figures as text, under `PART_COLUMNS`."""
        tally = self.tally
        counts = (tally.n, tally.right, tally.unparsed, tally.judge_failed)
        title = f"{TITLES[self.benchmark]}, {self.name}"
        return [title, *(f"{count:,}" for count in counts), _accuracy(tally)]


@dataclass(frozen=True, slots=True)
class Table:
    """Accuracies of results on the benchmarks.

    Attributes:
        results: The rows, in their order; at least one.
    """

    results: Sequence[ScoredResults]

    @property
    def methods(self) -> list[Method]:
        """The distinct methods of the results, in the order in which they come."""
        return list(dict.fromkeys(one.method for one in self.results))

    @property
    def mixes(self) -> str:
        """In words, why its figures cannot all be compared; nothing where they can.

        That is in what the methods of the results differ, and which benchmarks have other
        questions in one than in another.
        """
        differing = [
            f"questions of {TITLES[name]}"
            for name in BENCHMARKS
            if len({one.scores.questions.get(name) for one in self.results} - {None}) > 1
        ]
        return "; ".join(filter(None, [describe_mix(self.methods), *differing]))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields the cells of the table, row by row, each with its counts and its method.

        The last of a row is the average, which has neither counts nor interval. Accuracies are in
        [0, 1]; what is not known is None.
        """
        for one in self.results:
            for name in BENCHMARKS:
                yield _line(one, name, one.scores.benchmarks.get(name))
            yield _average_line(one)

    def to_csv(self) -> str:
        """Returns its cells as CSV, a line each."""
        lines = list(self.lines())
        text = io.StringIO()
        writer = csv.DictWriter(text, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return text.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        of_parts = [
            {"label": one.label, "benchmark": part.benchmark, "part": part.name}
            | part.tally.to_dict()
            | one.method._asdict()
            for one in self.results
            for part in parts(one.scores)
        ]
        return {"mixes": self.mixes, "cells": list(self.lines()), "parts": of_parts}

    @property
    def columns(self) -> list[str]:
        """What stands above each column of `rows`."""
        return ["result", *TITLES.values(), AVERAGE]

    def rows(self) -> list[list[str]]:
        """Returns the cells as text: percent, interval and the mark of a method in `legend`."""
        marks = self._marks()
        return [_row(one, marks[one.method]) for one in self.results]

    def legend(self) -> list[str]:
        """Returns what the marks stand for, and of each result what it lacks or left out."""
        methods = [f"{mark} {method}" for method, mark in self._marks().items()]
        return [*methods, *(_note(one) for one in self.results)]

    def part_rows(self) -> list[list[str]]:
        """Returns the cells of a second table, of all `parts`: those of results one below another.

        The label of the result comes first, the cells of the part follow.
        """
        found = [(part, one) for one in self.results for part in parts(one.scores)]
        names = list(dict.fromkeys((part.benchmark, part.name) for part, _ in found))
        names.sort(key=lambda name: BENCHMARKS.index(name[0]))
        place = {name: number for number, name in enumerate(names)}
        found.sort(key=lambda one: place[one[0].benchmark, one[0].name])
        marks = self._marks()
        return [[one.label, *_marked(part.cells(), marks[one.method])] for part, one in found]

    def _marks(self) -> dict[Method, str]:
        return {method: _mark(number) for number, method in enumerate(self.methods)}

    def to_markdown(self) -> str:
        """Returns both tables as Markdown, with the legend, and a warning if it mixes."""
        warning = f"This table mixes what cannot be compared: {self.mixes}."
        paragraphs = [
            *([warning] if self.mixes else []),
            "Accuracy in %, with its 95 % Wilson interval. The average is the unweighted mean over "
            f"the {len(BENCHMARKS)} benchmarks.",
        ]
        texts = [
            *map(_escaped, paragraphs),
            _markdown(self.columns, self.rows()),
            *map(_escaped, self.legend()),
            _markdown(["result", *PART_COLUMNS], self.part_rows()),
        ]
        return "\n\n".join(texts) + "\n"


def parts(scores: ScoreFile) -> Iterator[Part]:
    """Yields what the questions of each benchmark fall into, all of them first.

    Kinds and groups without a question are left out.
    """
    for name, summary in scores.benchmarks.items():
        for part, tally in _tallies(summary):
            if tally.n:
                yield Part(name, part, tally)


def percent(share: float | None) -> str:
    """Returns a share in percent with one decimal; ``-`` where it is not known.

    >>> percent(327 / 451)
    '72.5'
    """
    return _NOT_KNOWN if share is None else f"{100 * share:.1f}"


def _line(one: ScoredResults, benchmark: str, summary: BenchmarkSummary | None) -> dict[str, Any]:
    total = None if summary is None else summary.total
    interval = None if total is None else total.interval
    low, high = (None, None) if interval is None else interval
    return {
        "label": one.label,
        "model": one.scores.model,
        "benchmark": benchmark,
        **{name: None if total is None else getattr(total, name) for name in _COUNTS},
        "guesses": None if summary is None else summary.guesses,
        "accuracy": None if total is None else total.accuracy,
        "low": low,
        "high": high,
        **one.method._asdict(),
    }


def _average_line(one: ScoredResults) -> dict[str, Any]:
    average = None if one.scores.missing else one.scores.average
    return {**_line(one, AVERAGE, None), "accuracy": average}


def _tallies(summary: BenchmarkSummary) -> Iterator[tuple[str, Tally]]:
    yield "all", summary.total
    yield "closed", summary.closed
    yield "open", summary.open
    for by, values in summary.groups.items():
        for value, tally in values.items():
            yield f"{by}: {value}", tally


def _row(one: ScoredResults, mark: str) -> list[str]:
    summaries = [one.scores.benchmarks.get(name) for name in BENCHMARKS]
    cells = [_NOT_KNOWN if summary is None else _accuracy(summary.total) for summary in summaries]
    cells.append(percent(None if one.scores.missing else one.scores.average))
    return [one.label, *(cell if cell == _NOT_KNOWN else f"{cell} {mark}" for cell in cells)]


def _marked(cells: list[str], mark: str) -> list[str]:
    """Returns cells of which the last, if it is known, carries a mark."""
    *others, last = cells
    return [*others, last if last == _NOT_KNOWN else f"{last} {mark}"]


def _accuracy(tally: Tally) -> str:
    if tally.interval is None:
        return _NOT_KNOWN
    low, high = map(percent, tally.interval)
    return f"{percent(tally.accuracy)} ({low}-{high})"


def _note(one: ScoredResults) -> str:
    """Returns in a sentence whose answers a row counts, and what it lacks or left out."""
    summaries = one.scores.benchmarks.items()
    failed = {name: summary.total.judge_failed for name, summary in summaries}
    guesses = {name: summary.guesses for name, summary in summaries}
    clauses = [f"{one.label}: answers of {one.scores.model}"]
    if one.scores.missing:
        clauses.append(f"no average: {', '.join(one.scores.missing)} missing")
    if any(failed.values()):
        clauses.append(f"left out, for the judge gave no verdict: {_listed(failed)}")
    if any(guesses.values()):
        clauses.append(f"guessed by likeness or chance: {_listed(guesses)}")
    return "; ".join(clauses)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items() if count)


def _mark(number: int) -> str:
    """Returns what a method is marked by: ``[a]``, ``[b]``, and ``[aa]`` after ``[z]``."""
    letters = len(ascii_lowercase)
    return f"[{ascii_lowercase[number % letters] * (number // letters + 1)}]"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table, padded so that it can be read as it is."""
    cells = [list(map(_escaped, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        f"| {' | '.join(map(str.ljust, row, widths))} |" for row in (cells[0], rule, *cells[1:])
    )


def _escaped(text: str) -> str:
    """Returns a text as Markdown that shows it: names of files and models are no markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
