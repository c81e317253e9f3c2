"""A page of cases: questions with their images, and the answers of two models with verdicts."""

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
from packkit.base.orders import LARGEST_SEED, hash_keys, seeded_key
from packkit.base.pages import render_page
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit.infimed.chat import data_url
from packkit.infimed.evaluation.benchmarks import TITLES, read_benchmark
from packkit.infimed.evaluation.pairs import Pair, WhoIsRight, first_difference, pair_verdicts
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import AnswerRecord
from packkit.infimed.evaluation.scored_results import ScoredResults
from packkit.infimed.evaluation.verdicts import Verdict

Shown = Literal[WhoIsRight, "all"]
"""Which cases a page shows: those where one model alone is right, both are, none is, or all."""

_TEMPLATE = "cases.html.j2"
_IMAGE_SIDE = 1024

# Keeps the draw of a page apart from other uses of the same seed.
_STREAM = 0xCA5E


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesConfig:
    """Options of `write_cases`.

    Attributes:
        cases: Number of cases on the page at most.
        seed: Seed of the draw; a page of fewer cases shows some of those of a page with more.
        who: Kind of case to show, by whose answer is right.
        benchmarks: Benchmarks to draw from; by default all that both results have.
        folders: Name of a benchmark -> its path, where it is not the one in the first results.

    Raises:
        InputError: A value is out of range.
    """

    cases: int = 50
    seed: int = 0
    who: Shown = "all"
    benchmarks: Sequence[str] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_whole("cases", self.cases, 1, LARGEST_COUNT)
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        known = (*get_args(WhoIsRight), "all")
        if self.who not in known:
            raise InputError(f"who must be one of {', '.join(known)}, got {self.who!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesReport:
    """What a page of cases holds.

    Attributes:
        out: Path of the page.
        bytes: Size of the page.
        cases: Number of cases on the page, by whose answer is right.
        candidates: Number of cases that could have been shown, by whose answer is right.
    """

    out: str
    bytes: int
    cases: Mapping[WhoIsRight, int]
    candidates: Mapping[WhoIsRight, int]

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON."""
        fields = asdict(self)
        fields["found"] = fields.pop("candidates")
        return fields


class _CaseAnswer(NamedTuple):
    """The answer of one model, as the template takes it."""

    label: str
    answer: AnswerRecord
    verdict: Verdict


class _Case(NamedTuple):
    """One question as the template takes it, its images as data URLs."""

    question: Question
    who: WhoIsRight
    images: Sequence[str]
    answers: Sequence[_CaseAnswer]


def write_cases(
    a: ScoredResults, b: ScoredResults, out: str | Path, config: CasesConfig
) -> CasesReport:
    """Draws questions that two models were asked, and writes a page that shows the answers.

    Args:
        a: Results of the first model.
        b: Results of the second model.
        out: Path of the page, HTML that needs no other file and no network.
        config: Options.

    Raises:
        InputError: The results cannot be compared, see `pairs.pair_verdicts`; there is nothing to
            show; or a benchmark is missing, or has other questions.
        FormatError: A file of results or benchmarks is not what it should be.
        MissingExtraError: Package jinja2 is not installed.
        OSError: The page cannot be written.
    """
    candidates = _candidates(a, b, config)
    drawn = _drawn(candidates, config)
    cases = list(_cases(a, b, drawn, config))
    page = _render(a, b, cases, len(candidates), config.seed).encode()
    write_atomically(Path(out), page)
    return CasesReport(
        out=str(out), bytes=len(page), cases=_count(drawn), candidates=_count(candidates)
    )


def _count(pairs: Iterable[Pair]) -> dict[WhoIsRight, int]:
    counts = Counter(pair.who_is_right for pair in pairs)
    return {who: counts[who] for who in get_args(WhoIsRight)}


def _candidates(a: ScoredResults, b: ScoredResults, config: CasesConfig) -> list[Pair]:
    """Returns all pairs that a page with these options may show."""
    pairs = pair_verdicts(a, b)
    if unknown := [name for name in config.benchmarks if name not in pairs]:
        raise InputError(f"no pair of answers to {', '.join(unknown)}, only {', '.join(pairs)}")
    candidates = [
        pair
        for name in dict.fromkeys(config.benchmarks or pairs)
        for pair in pairs[name].decided
        if config.who in ("all", pair.who_is_right)
    ]
    if not candidates:
        raise InputError(f"{a.label} and {b.label} have no case of the kind {config.who!r}")
    return candidates


def _drawn(candidates: Sequence[Pair], config: CasesConfig) -> list[Pair]:
    """Returns the pairs with the smallest hashes, in their own order."""
    names = (f"{pair.question.benchmark}/{pair.question.key}" for pair in candidates)
    keys = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in names], np.uint64)
    hashes = hash_keys(keys, seeded_key(config.seed, _STREAM))
    chosen = np.argsort(hashes, kind="stable")[: config.cases]
    return [candidates[number] for number in sorted(chosen.tolist())]


def _cases(
    a: ScoredResults, b: ScoredResults, drawn: Sequence[Pair], config: CasesConfig
) -> Iterator[_Case]:
    answers = [(side.label, side.results.answers()) for side in (a, b)]
    questions: dict[str, list[Question]] = {}
    for pair in drawn:
        questions.setdefault(pair.question.benchmark, []).append(pair.question)
    known = a.results.settings().benchmarks
    images = {
        name: _images(name, asked, Path(config.folders.get(name, known[name].path)))
        for name, asked in questions.items()
    }
    for pair in drawn:
        benchmark, key = pair.question.benchmark, pair.question.key
        yield _Case(
            pair.question,
            pair.who_is_right,
            images[benchmark][key],
            [
                _CaseAnswer(label, records[benchmark, key], verdict)
                for (label, records), verdict in zip(answers, (pair.a, pair.b), strict=True)
            ],
        )


def _images(benchmark: str, asked: Sequence[Question], path: Path) -> dict[str, list[str]]:
    """Returns the images of some questions, by key, as data URLs.

    Raises:
        InputError: The benchmark is missing, or has another question under a key.
        FormatError: An image cannot be read.
    """
    published = {question.key: question for question in read_benchmark(benchmark, path)}
    for question in asked:
        current = published.get(question.key)
        differs = "it is missing" if current is None else first_difference(question, current)
        if differs:
            raise InputError(
                f"{path}: is not the {benchmark} that was asked, question {question.key}: {differs}"
            )
    return {question.key: list(_data_urls(published[question.key], path)) for question in asked}


def _data_urls(question: Question, path: Path) -> Iterator[str]:
    for image in question.images:
        try:
            data = image if isinstance(image, bytes) else image.read()
            yield data_url(data, _IMAGE_SIDE)
        except SampleError as error:
            raise FormatError(path, f"question {question.key}: {error.detail}") from None


def _render(
    a: ScoredResults, b: ScoredResults, cases: Sequence[_Case], candidates: int, seed: int
) -> str:
    return render_page(
        "packkit.infimed.evaluation",
        _TEMPLATE,
        extra="eval",
        a=a,
        b=b,
        cases=cases,
        found=candidates,
        seed=seed,
        titles=TITLES,
        benchmarks=list(dict.fromkeys(case.question.benchmark for case in cases)),
        counts=Counter(case.who for case in cases),
    )
