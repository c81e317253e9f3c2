"""Has a judge score a sample of each data set; a run that was stopped goes on where it stood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from packkit.base.engine import LocalEngine, usable_cpus
from packkit.base.errors import InputError
from packkit.infimed.chat import AnswerLog, ChatModel, Limits, OpenAIChat, Prices, State, run_tasks
from packkit.infimed.curation.answers import Answers, Item, open_requests
from packkit.infimed.curation.assess_run import (
    AssessProgress,
    AssessRun,
    CostEstimate,
    DataSetReport,
)
from packkit.infimed.curation.prompt import estimated_tokens, request_hash
from packkit.infimed.curation.results import IDENTITY, read_assessments
from packkit.infimed.curation.rubric import REPLY_SCHEMA, RUBRIC_VERSION
from packkit.infimed.curation.sampling import Draw, data_sets, draw

REPLY_TOKENS = 400
"""Tokens that a reply is estimated to have: six comments of a sentence, and their scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessConfig:
    """Options of `assess`.

    Attributes:
        model: The judge.
        base_url: Of its endpoint; by default that of OPENAI_BASE_URL, else OpenAI's own.
        samples: Drawn from each data set at most.
        seed: Decides which.
        concurrency: Requests on their way at the same time.
        max_requests: That may be sent; those of earlier runs into the same file count.
        max_cost: That may be spent, in the currency of the prices; earlier runs count.
        price_in: Of a million tokens sent.
        price_out: Of a million tokens written.
        max_tokens: That a reply may have, those of its reasoning included.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field, for tables.
        data_root: Folder of image paths; by default that of each input file.

    Raises:
        InputError: A value is out of range, or one price is given without the other.
    """

    model: str
    base_url: str | None = None
    samples: int = 500
    seed: int = 0
    concurrency: int = 8
    max_requests: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    max_tokens: int = 4096
    layout: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    data_root: str | None = None

    def __post_init__(self) -> None:
        for name in ("samples", "concurrency", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")
        if (self.price_in is None) != (self.price_out is None):
            raise InputError("price_in and price_out must be given together")
        # What is wrong with the limits must show before any data is read.
        _ = self.limits

    @property
    def prices(self) -> Prices | None:
        """What tokens cost, if that is known."""
        if self.price_in is None or self.price_out is None:
            return None
        return Prices(self.price_in, self.price_out)

    @property
    def limits(self) -> Limits:
        """How much may be spent."""
        return Limits(self.max_requests, self.max_cost, self.prices)


OnProgress = Callable[[AssessProgress], None]


def assess(
    inputs: Sequence[str],
    out: str | Path,
    config: AssessConfig,
    *,
    judge: ChatModel | None = None,
    on_progress: OnProgress | None = None,
) -> AssessRun:
    """Has a judge score samples of data sets, each sample once.

    Every answer is in the results before its next request is sent: a run that is killed loses the
    requests on their way and nothing else. What is not ``ok`` is asked again by the next run.

    Args:
        inputs: Files, folders or globs, whose stem names the data set, or ``NAME=PATH``.
        out: File of the results; those that it holds are not asked for again.
        config: Options.
        judge: Whom to ask; by default an `OpenAIChat` of the model that `config` names.
        on_progress: Called as the run goes on.

    Raises:
        InputError: Inputs or options make no sense, or a data set holds no sample.
        AccessError: The judge answers no request at all.
        LogInUseError: Another run writes to `out`.
        FormatError: An input or `out` is not what it should be.
        MissingExtraError: Openai is not installed.
        KeyboardInterrupt: Ctrl-C ended the run; the results hold what came before.
    """
    start = monotonic()
    show = on_progress or (lambda progress: None)
    if judge is None:
        judge = OpenAIChat(config.model, base_url=config.base_url, max_tokens=config.max_tokens)
    if judge.model != config.model:
        raise InputError(f"the judge must be {config.model}, got {judge.model}")
    with AnswerLog(Path(out), IDENTITY) as log, _drawn(inputs, config, show) as draws:
        answers = Answers(log, _items(draws, config.model), config.model, config.prices)
        tasks = answers.tasks()
        run = run_tasks(
            judge,
            tasks,
            schema=REPLY_SCHEMA,
            read=answers.read,
            record=answers.record,
            concurrency=config.concurrency,
            limits=config.limits,
            spent=answers.total,
            on_progress=lambda run: show(AssessProgress(total=len(tasks), run=run)),
        )
        return AssessRun(
            out=str(out),
            model=config.model,
            prompt_version=RUBRIC_VERSION,
            data_sets=[_report(one, answers.states(one.name)) for one in draws],
            reached=run.reached,
            spent=run.spent,
            total=answers.total,
            unmetered=run.unmetered,
            torn_bytes=log.torn_bytes,
            seconds=monotonic() - start,
        )


def estimate(
    inputs: Sequence[str],
    out: str | Path,
    config: AssessConfig,
    *,
    on_progress: OnProgress | None = None,
) -> CostEstimate:
    """Says what `assess` would send and cost, without sending or writing anything.

    Args:
        inputs: As for `assess`.
        out: File of the results; there may be none yet.
        config: Options; its limits are not applied.
        on_progress: Called as data sets are read.

    Raises:
        InputError: Inputs or options make no sense, or a data set holds no sample.
        FormatError: An input or `out` is not what it should be.
    """
    answered = read_assessments(out) if Path(out).exists() else []
    with _drawn(inputs, config, on_progress or (lambda progress: None)) as draws:
        items = _items(draws, config.model)
        groups = open_requests(items, answered)
        prompt_tokens = sum(estimated_tokens(group[0].drawn.sample) for group in groups.values())
    completion_tokens = REPLY_TOKENS * len(groups)
    prices = config.prices
    return CostEstimate(
        model=config.model,
        samples={one.name: len(one.samples) for one in draws},
        answered=len(items) - sum(map(len, groups.values())),
        requests=len(groups),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=None if prices is None else prices.of(prompt_tokens, completion_tokens),
    )


@contextmanager
def _drawn(inputs: Sequence[str], config: AssessConfig, show: OnProgress) -> Iterator[list[Draw]]:
    """Draws from every data set; the samples can be read inside only."""
    with TemporaryDirectory(prefix="packkit-assess-") as staging:
        draws = []
        for number, one in enumerate(data_sets(inputs)):
            show(AssessProgress(drawing=one.name))
            found = draw(
                one,
                config.samples,
                seed=config.seed,
                staging=Path(staging, str(number)),
                layout=config.layout,
                columns=config.columns,
                data_root=config.data_root,
            )
            draws.append(found)
        yield draws


def _items(draws: Sequence[Draw], model: str) -> list[Item]:
    drawn = [(one.name, sample) for one in draws for sample in one.samples]
    hashes = LocalEngine(usable_cpus()).run(lambda one: request_hash(one[1].sample, model), drawn)
    return [Item(*one, request) for one, request in zip(drawn, hashes, strict=True)]


def _report(one: Draw, states: Mapping[State, int]) -> DataSetReport:
    return DataSetReport(
        name=one.name,
        read=one.read,
        repeated=one.repeated,
        unreadable=one.unreadable,
        examples=one.examples,
        drawn=len(one.samples),
        states=states,
        left=len(one.samples) - sum(states.values()),
    )
