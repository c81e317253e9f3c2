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
from packkit.infimed.evaluation.method import Method, describe_mix
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scored_results import ScoredResults
from packkit.infimed.evaluation.tallies import BenchmarkTallies, Tally

AVERAGE = "average"
"""Name of the column and the lines that hold the mean over all benchmarks."""

PART_COLUMNS = ("questions", "n", "right", "unparsed", "judge failed", "accuracy")
"""Headers of the columns of `Part.cells`."""

_COUNTS = ("n", "decided", "right", "unparsed", "judge_failed")
_NOT_KNOWN = "-"

# What spreadsheets take for a formula, in wide letters too, or leave out before one.
_FORMULAS = tuple("=+-@\t\r\n＝＋－＠")
# A bracket alone is no markup; a closing one before these may make a link.
_MARKUP = re.compile(r"([\\`*_<>|&~$#]|\](?=[(\[:]))")


class Part(NamedTuple):
    """Some questions of a benchmark, and the tally of the verdicts on them.

    Attributes:
        benchmark: Name of the benchmark.
        name: ``all``, ``closed``, ``open``, or what the questions share, such as ``modality: CT``.
        tally: Tally of the verdicts on these questions.
    """

    benchmark: str
    name: str
    tally: Tally

    def cells(self) -> list[str]:
        """Returns title and figures as text, in the order of `PART_COLUMNS`."""
        tally = self.tally
        counts = (tally.n, tally.right, tally.unparsed, tally.judge_failed)
        title = f"{TITLES[self.benchmark]}, {self.name}"
        return [title, *(f"{count:,}" for count in counts), _accuracy(tally)]


@dataclass(frozen=True, slots=True)
class Table:
    """Accuracies of results on the benchmarks.

    Attributes:
        results: Scored results, one for each row, in the order of the rows; at least one.
    """

    results: Sequence[ScoredResults]

    @property
    def methods(self) -> list[Method]:
        """The distinct methods of the results, in the order of the rows."""
        return list(dict.fromkeys(row.method for row in self.results))

    @property
    def mixes(self) -> str:
        """Why the figures cannot all be compared, in words; an empty text where they can.

        The text names how the methods of the results differ, and the benchmarks whose questions
        differ between results.
        """
        differing = [
            f"questions of {TITLES[name]}"
            for name in BENCHMARKS
            if len({row.scores.questions.get(name) for row in self.results} - {None}) > 1
        ]
        return "; ".join(filter(None, [describe_mix(self.methods), *differing]))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields the cells of the table, row by row, each with its counts and its method.

        The last cell of a row is the average, which has neither counts nor interval. Accuracies are
        in [0, 1]; what is not known is None.
        """
        for row in self.results:
            for name in BENCHMARKS:
                yield _line(row, name, row.scores.benchmarks.get(name))
            yield _average_line(row)

    def to_csv(self) -> str:
        """Returns the cells as CSV, one line for each.

        A text that a spreadsheet would run as a formula has an apostrophe before it.
        """
        lines = list(self.lines())
        text = io.StringIO()
        # Quotes keep a text with any break or separator in it one cell.
        writer = csv.DictWriter(text, lines[0], lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        writer.writerows({name: _no_formula(cell) for name, cell in line.items()} for line in lines)
        return text.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Returns the table as JSON: its cells, and the parts of each result."""
        part_lines = [
            {"label": row.label, "benchmark": part.benchmark, "part": part.name}
            | part.tally.to_dict()
            | row.method._asdict()
            for row in self.results
            for part in parts(row.scores)
        ]
        return {"mixes": self.mixes, "cells": list(self.lines()), "parts": part_lines}

    @property
    def columns(self) -> list[str]:
        """Headers of the columns of `rows`."""
        return ["result", *TITLES.values(), AVERAGE]

    def rows(self) -> list[list[str]]:
        """Returns the cells as text: percent, interval and the mark of a method in `legend`."""
        marks = self._marks()
        return [_cells(row, marks[row.method]) for row in self.results]

    def legend(self) -> list[str]:
        """Returns the methods that the marks stand for, and what each row lacks or left out."""
        methods = [f"{mark} {method}" for method, mark in self._marks().items()]
        return [*methods, *map(_note, self.results)]

    def part_rows(self) -> list[list[str]]:
        """Returns the cells of a second table: all `parts`, each for one result after another.

        The label of the result comes first, the cells of the part follow.
        """
        marks = self._marks()
        rows = [
            (part, [row.label, *_marked(part.cells(), marks[row.method])])
            for row in self.results
            for part in parts(row.scores)
        ]
        names = list(dict.fromkeys((part.benchmark, part.name) for part, _ in rows))
        # In the order of the benchmarks; those of one benchmark in the order in which they come.
        names.sort(key=lambda name: BENCHMARKS.index(name[0]))
        rows.sort(key=lambda row: names.index((row[0].benchmark, row[0].name)))
        return [cells for _, cells in rows]

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
    """Yields the parts of each benchmark: all questions, closed and open ones, and every group.

    Parts without a question are left out.
    """
    for benchmark, tallies in scores.benchmarks.items():
        for name, tally in _tallies(tallies):
            if tally.n:
                yield Part(benchmark, name, tally)


def percent(share: float | None) -> str:
    """Returns a share in percent with one decimal; ``-`` where it is not known.

    >>> percent(327 / 451)
    '72.5'
    """
    return _NOT_KNOWN if share is None else f"{100 * share:.1f}"


def _line(row: ScoredResults, benchmark: str, tallies: BenchmarkTallies | None) -> dict[str, Any]:
    total = None if tallies is None else tallies.total
    interval = None if total is None else total.interval
    low, high = (None, None) if interval is None else interval
    return {
        "label": row.label,
        "model": row.scores.model,
        "benchmark": benchmark,
        **{name: None if total is None else getattr(total, name) for name in _COUNTS},
        "guesses": None if tallies is None else tallies.guesses,
        "accuracy": None if total is None else total.accuracy,
        "low": low,
        "high": high,
        **row.method._asdict(),
    }


def _no_formula(cell: object) -> object:
    """Returns a cell of a CSV; figures stay figures, and -0.5 is one."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell


def _average_line(row: ScoredResults) -> dict[str, Any]:
    return {**_line(row, AVERAGE, None), "accuracy": _average(row)}


def _average(row: ScoredResults) -> float | None:
    return None if row.scores.missing else row.scores.average


def _tallies(tallies: BenchmarkTallies) -> Iterator[tuple[str, Tally]]:
    yield "all", tallies.total
    yield "closed", tallies.closed
    yield "open", tallies.open
    for by, values in tallies.groups.items():
        for value, tally in values.items():
            yield f"{by}: {value}", tally


def _cells(row: ScoredResults, mark: str) -> list[str]:
    benchmarks = [row.scores.benchmarks.get(name) for name in BENCHMARKS]
    cells = [_NOT_KNOWN if tallies is None else _accuracy(tallies.total) for tallies in benchmarks]
    cells.append(percent(_average(row)))
    return [row.label, *(cell if cell == _NOT_KNOWN else f"{cell} {mark}" for cell in cells)]


def _marked(cells: list[str], mark: str) -> list[str]:
    """Returns cells, the last of which carries a mark if it is known."""
    *others, last = cells
    return [*others, last if last == _NOT_KNOWN else f"{last} {mark}"]


def _accuracy(tally: Tally) -> str:
    if tally.interval is None:
        return _NOT_KNOWN
    low, high = map(percent, tally.interval)
    return f"{percent(tally.accuracy)} ({low}-{high})"


def _note(row: ScoredResults) -> str:
    """Returns in a sentence whose answers a row counts, and what it lacks or left out."""
    benchmarks = row.scores.benchmarks.items()
    failed = {name: tallies.total.judge_failed for name, tallies in benchmarks}
    guesses = {name: tallies.guesses for name, tallies in benchmarks}
    clauses = [f"{row.label}: answers of {row.scores.model}"]
    if row.scores.missing:
        clauses.append(f"no average: {', '.join(row.scores.missing)} missing")
    if any(failed.values()):
        clauses.append(f"left out, for the judge gave no verdict: {_listed(failed)}")
    if any(guesses.values()):
        clauses.append(f"guessed by likeness or chance: {_listed(guesses)}")
    return "; ".join(clauses)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items() if count)


def _mark(number: int) -> str:
    """Returns the mark of a method: ``[a]``, ``[b]``, and ``[aa]`` after ``[z]``."""
    letters = len(ascii_lowercase)
    return f"[{ascii_lowercase[number % letters] * (number // letters + 1)}]"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown, padded so that its source can be read as well."""
    cells = [list(map(_escaped, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        f"| {' | '.join(map(str.ljust, row, widths))} |" for row in (cells[0], rule, *cells[1:])
    )


def _escaped(text: str) -> str:
    """Returns Markdown that shows a text as it is: names of files and models are no markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
