"""Asking: a judge scores samples of each data set; a run that was stopped can be continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from packkit.base.engine import LocalEngine, usable_cpus
from packkit.base.errors import InputError
from packkit.base.orders import LARGEST_SEED
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import LARGEST_COUNT, check_whole
from packkit.infimed.chat import (
    LARGEST_CONCURRENCY,
    AnswerLog,
    ChatModel,
    Limits,
    OpenAIChat,
    Prices,
    State,
    run_tasks,
)
from packkit.infimed.curation.assess_run import (
    AssessProgress,
    AssessRun,
    CostEstimate,
    DataSetReport,
)
from packkit.infimed.curation.assessment_log import AssessItem, AssessmentLog, open_requests
from packkit.infimed.curation.assessments import IDENTITY, read_assessments
from packkit.infimed.curation.prompt import estimate_prompt_tokens, request_hash
from packkit.infimed.curation.rubric import REPLY_SCHEMA, RUBRIC_VERSION
from packkit.infimed.curation.sampling import DrawnSet, draw, input_sets

REPLY_TOKENS = 400
"""Tokens that a reply is estimated to have: six comments of a sentence, and their scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessConfig:
    """Options of `assess`.

    Attributes:
        model: Name of the model that judges.
        base_url: Address of the endpoint; by default that of OPENAI_BASE_URL, else OpenAI's own.
        samples: Samples to draw from each data set at most.
        seed: Seed of the hashes that decide which samples are drawn.
        concurrency: Requests in flight at the same time.
        max_requests: Most requests that may be sent, earlier runs into the same file included; None
            for no limit.
        max_cost: Highest cost, in the currency of the prices, earlier runs included; None for no
            limit.
        price_in: Price of a million tokens sent.
        price_out: Price of a million tokens written.
        max_tokens: Tokens that a reply may have at most, those of its reasoning included.
        layout: Layout of the records, or ``auto``.
        columns: Role in the layout -> name of the field, for tables.
        data_root: Folder of image paths; by default that of each input file.
        image_suffix: Ending of image names that have none.
        ignore: Keys and markers of records that do not matter.

    Raises:
        InputError: A value is out of range, or one price is given without the other.
    """

    model: str
    base_url: str | None = field(default=None, repr=False)
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
    image_suffix: str = ""
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_whole("samples", self.samples, 1, LARGEST_COUNT)
        check_whole("concurrency", self.concurrency, 1, LARGEST_CONCURRENCY)
        check_whole("max_tokens", self.max_tokens, 1, LARGEST_CAPACITY)
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        if (self.price_in is None) != (self.price_out is None):
            raise InputError("price_in and price_out must be given together")
        if self.max_cost is not None and self.price_in is None:
            raise InputError(
                "max_cost needs the prices of a million tokens, price_in and price_out"
            )
        # Limits check themselves; that has to happen before any data is read.
        _ = self.limits

    @property
    def prices(self) -> Prices | None:
        """What tokens cost; None where that is not known."""
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

    What came of a request is in the results before the next request about its sample is sent: a run
    that is killed loses the requests in flight and nothing else. Samples whose state is not ``ok``
    are asked about again by the next run.

    Args:
        inputs: Files, folders or globs, whose stem names the data set, or ``NAME=PATH``.
        out: File of the results; samples that have scores in it are not asked about again.
        config: Options of the run.
        judge: Model that judges; by default an `OpenAIChat` of the model that `config` names.
        on_progress: Function that is told how far the run is.

    Raises:
        InputError: Inputs or options make no sense, or a data set holds no sample.
        AccessError: The judge answers no request at all.
        LockedError: Another run writes to `out`.
        FormatError: An input or `out` is not what it should be.
        MissingExtraError: The package openai is not installed.
        KeyboardInterrupt: Ctrl-C ended the run; the results hold what came before.
    """
    start = monotonic()
    show = on_progress or (lambda progress: None)
    if judge is None:
        judge = OpenAIChat(config.model, base_url=config.base_url, max_tokens=config.max_tokens)
    if judge.model != config.model:
        raise InputError(f"the judge must be {config.model}, got {judge.model}")
    with AnswerLog(Path(out), IDENTITY) as log, _drawn(inputs, config, show) as drawn_sets:
        items = _items(drawn_sets, config.model)
        assessments = AssessmentLog(log, items, config.model, config.prices)
        tasks = assessments.tasks()
        report = run_tasks(
            judge,
            tasks,
            schema=REPLY_SCHEMA,
            read=assessments.read,
            record=assessments.record,
            concurrency=config.concurrency,
            limits=config.limits,
            spent=assessments.total,
            on_progress=lambda progress: show(AssessProgress(total=len(tasks), tasks=progress)),
        )
        return AssessRun(
            out=str(out),
            model=config.model,
            prompt_version=RUBRIC_VERSION,
            data_sets=[_report(drawn, assessments.states(drawn.name)) for drawn in drawn_sets],
            reached=report.reached,
            spent=report.spent,
            total=assessments.total,
            example=assessments.example(),
            unmetered=report.unmetered,
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
        inputs: Files, folders or globs, whose stem names the data set, or ``NAME=PATH``.
        out: File of the results; it may be missing.
        config: Options of the run; its limits are not applied.
        on_progress: Function that is told which data set is read.

    Raises:
        InputError: Inputs or options make no sense, or a data set holds no sample.
        FormatError: An input or `out` is not what it should be.
    """
    answered = read_assessments(out) if Path(out).exists() else []
    with _drawn(inputs, config, on_progress or (lambda progress: None)) as drawn_sets:
        items = _items(drawn_sets, config.model)
        groups = open_requests(items, answered)
        samples = [sharing[0].drawn.sample for sharing in groups.values()]
        prompt_tokens = sum(map(estimate_prompt_tokens, samples))
    completion_tokens = REPLY_TOKENS * len(groups)
    prices = config.prices
    return CostEstimate(
        model=config.model,
        samples={drawn.name: len(drawn.samples) for drawn in drawn_sets},
        answered=len(items) - sum(map(len, groups.values())),
        requests=len(groups),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=None if prices is None else prices.of(prompt_tokens, completion_tokens),
    )


@contextmanager
def _drawn(
    inputs: Sequence[str], config: AssessConfig, show: OnProgress
) -> Iterator[list[DrawnSet]]:
    """Draws from every data set; the samples can be read as long as the context is open."""
    with TemporaryDirectory(prefix="packkit-assess-") as staging:
        drawn_sets = []
        for number, input_set in enumerate(input_sets(inputs)):
            show(AssessProgress(drawing=input_set.name))
            drawn = draw(
                input_set,
                config.samples,
                seed=config.seed,
                staging=Path(staging, str(number)),
                layout=config.layout,
                columns=config.columns,
                data_root=config.data_root,
                ignored=config.ignore,
                image_suffix=config.image_suffix,
            )
            drawn_sets.append(drawn)
        yield drawn_sets


def _items(drawn_sets: Sequence[DrawnSet], model: str) -> list[AssessItem]:
    pairs = [(drawn.name, sample) for drawn in drawn_sets for sample in drawn.samples]
    hashes = LocalEngine(usable_cpus()).run(lambda pair: request_hash(pair[1].sample, model), pairs)
    return [AssessItem(*pair, request) for pair, request in zip(pairs, hashes, strict=True)]


def _report(drawn: DrawnSet, states: Mapping[State, int]) -> DataSetReport:
    return DataSetReport(
        name=drawn.name,
        read=drawn.read,
        repeated=drawn.repeated,
        unreadable=drawn.unreadable,
        examples=drawn.examples,
        drawn=len(drawn.samples),
        states=states,
        left=len(drawn.samples) - sum(states.values()),
    )
