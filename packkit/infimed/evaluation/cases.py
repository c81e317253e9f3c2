"""A page of cases: what two models answered to the same questions, with images and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xxhash

from packkit.base.errors import FormatError, InputError, SampleError
from packkit.base.files import write_atomically
from packkit.base.orders import hash_keys, seeded_key
from packkit.base.pages import render_page
from packkit.infimed.chat import data_url
from packkit.infimed.evaluation.benchmarks import TITLES, read_benchmark
from packkit.infimed.evaluation.pairs import Pair, WhoIsRight, difference, pair
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import GivenAnswer
from packkit.infimed.evaluation.scored_results import ScoredResults
from packkit.infimed.evaluation.verdicts import Verdict

Shown = Literal[WhoIsRight, "all"]
"""Which cases a page shows: those where one model alone is right, both are, none is, or all."""

_TEMPLATE = "cases.html.j2"
_IMAGE_SIDE = 1024

# Tells the draw of a page from the other uses of its seed.
_STREAM = 0xCA5E


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesConfig:
    """Options of `write_cases`.

    Attributes:
        cases: On the page at most.
        seed: Decides which. Fewer cases of one seed are among more.
        who: Which are shown, by who is right.
        benchmarks: From which they are drawn; by default all that both results have.
        folders: Benchmark -> where it stands now, if not where the first results name it.

    Raises:
        InputError: A value is out of range.
    """

    cases: int = 50
    seed: int = 0
    who: Shown = "all"
    benchmarks: Sequence[str] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise InputError(f"cases must be at least 1, got {self.cases}")
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")
        known = (*get_args(WhoIsRight), "all")
        if self.who not in known:
            raise InputError(f"who must be one of {', '.join(known)}, got {self.who!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesReport:
    """What a page of cases holds.

    Attributes:
        out: The page.
        bytes: Of it.
        cases: Who is right -> cases on the page.
        found: Who is right -> questions that could have been shown.
    """

    out: str
    bytes: int
    cases: Mapping[WhoIsRight, int]
    found: Mapping[WhoIsRight, int]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


class _Reply(NamedTuple):
    """What one model answered, as the template takes it."""

    label: str
    answer: GivenAnswer
    verdict: Verdict


class _Case(NamedTuple):
    """One question as the template takes it, its images as data URLs."""

    question: Question
    who: WhoIsRight
    images: Sequence[str]
    replies: Sequence[_Reply]


def write_cases(
    a: ScoredResults, b: ScoredResults, out: str | Path, config: CasesConfig
) -> CasesReport:
    """Draws questions that two models were asked, and writes a page that shows the answers.

    Args:
        a: The first.
        b: The second.
        out: The page, HTML. It needs no other file and no network.
        config: Options.

    Raises:
        InputError: The two cannot be compared, see `pairs.pair`; there is nothing to show; or a
            benchmark is not where it should be, or is another.
        FormatError: A file of results or benchmarks is not what it should be.
        MissingExtraError: Jinja2 is not installed.
        OSError: The page cannot be written.
    """
    found = _found(a, b, config)
    drawn = _drawn(found, config)
    cases = list(_cases(a, b, drawn, config))
    page = _render(a, b, cases, len(found), config.seed).encode()
    write_atomically(Path(out), page)
    return CasesReport(
        out=str(out),
        bytes=len(page),
        cases=_kinds(drawn),
        found=_kinds(found),
    )


def _kinds(pairs: Iterable[Pair]) -> dict[WhoIsRight, int]:
    counts = Counter(one.who_is_right for one in pairs)
    return {who: counts[who] for who in get_args(WhoIsRight)}


def _found(a: ScoredResults, b: ScoredResults, config: CasesConfig) -> list[Pair]:
    pairs = pair(a, b)
    if unknown := [name for name in config.benchmarks if name not in pairs]:
        raise InputError(f"no pair of answers to {', '.join(unknown)}, only {', '.join(pairs)}")
    found = [
        one
        for name in dict.fromkeys(config.benchmarks or pairs)
        for one in pairs[name].decided
        if config.who in ("all", one.who_is_right)
    ]
    if not found:
        raise InputError(f"{a.label} and {b.label} have no case of the kind {config.who!r}")
    return found


def _drawn(found: Sequence[Pair], config: CasesConfig) -> list[Pair]:
    """Returns those with the smallest hashes, in the order in which they came."""
    names = (f"{one.question.benchmark}/{one.question.key}" for one in found)
    keys = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in names], np.uint64)
    hashes = hash_keys(keys, seeded_key(config.seed, _STREAM))
    chosen = np.argsort(hashes, kind="stable")[: config.cases]
    return [found[number] for number in sorted(chosen.tolist())]


def _cases(
    a: ScoredResults, b: ScoredResults, drawn: Sequence[Pair], config: CasesConfig
) -> Iterator[_Case]:
    answers = [(one.label, one.results.answers()) for one in (a, b)]
    images = {
        name: _images(name, [one.question for one in drawn if one.question.benchmark == name], path)
        for name, path in _folders(a, drawn, config).items()
    }
    for one in drawn:
        benchmark, key = one.question.benchmark, one.question.key
        yield _Case(
            one.question,
            one.who_is_right,
            images[benchmark][key],
            [
                _Reply(label, given[benchmark, key], verdict)
                for (label, given), verdict in zip(answers, (one.a, one.b), strict=True)
            ],
        )


def _folders(a: ScoredResults, drawn: Sequence[Pair], config: CasesConfig) -> dict[str, Path]:
    """Returns where the images of each benchmark stand."""
    sets = a.results.settings().benchmarks
    names = dict.fromkeys(one.question.benchmark for one in drawn)
    return {name: Path(config.folders.get(name, sets[name].path)) for name in names}


def _images(benchmark: str, asked: Sequence[Question], path: Path) -> dict[str, list[str]]:
    """Returns the images of some questions, by key, as data URLs.

    Raises:
        InputError: The benchmark is not there, or a question is not the one that was asked.
        FormatError: An image cannot be read.
    """
    questions = {one.key: one for one in read_benchmark(benchmark, path)}
    for question in asked:
        found = questions.get(question.key)
        differs = "it is missing" if found is None else difference(question, found)
        if differs:
            raise InputError(
                f"{path}: is not the {benchmark} that was asked, question {question.key}: {differs}"
            )
    return {one.key: list(_data_urls(questions[one.key], path)) for one in asked}


def _data_urls(question: Question, path: Path) -> Iterator[str]:
    for image in question.images:
        try:
            data = image if isinstance(image, bytes) else image.read()
            yield data_url(data, _IMAGE_SIDE)
        except SampleError as error:
            raise FormatError(path, f"question {question.key}: {error.detail}") from None


def _render(
    a: ScoredResults, b: ScoredResults, cases: Sequence[_Case], found: int, seed: int
) -> str:
    return render_page(
        "packkit.infimed.evaluation",
        _TEMPLATE,
        extra="eval",
        a=a,
        b=b,
        cases=cases,
        found=found,
        seed=seed,
        titles=TITLES,
        benchmarks=list(dict.fromkeys(one.question.benchmark for one in cases)),
        counts=Counter(one.who for one in cases),
    )
