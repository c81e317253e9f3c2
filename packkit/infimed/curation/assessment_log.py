"""Keeping: which samples of a run have scores, which requests are open, and what each cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packkit.base.errors import FormatError
from packkit.infimed.chat import (
    NOTHING,
    AnswerLog,
    Prices,
    Reply,
    Spending,
    State,
    Task,
    TaskResult,
    failed_reply,
)
from packkit.infimed.curation.assessments import IDENTITY, Assessment
from packkit.infimed.curation.prompt import estimate_prompt_tokens, messages_for
from packkit.infimed.curation.replies import JudgeScores, read_reply
from packkit.infimed.curation.rubric import RUBRIC_VERSION
from packkit.infimed.curation.sampling import DrawnSample


@dataclass(frozen=True, slots=True)
class AssessItem:
    """A sample to be judged.

    Attributes:
        data_set: Name of the data set that the sample was drawn from.
        drawn: The sample, with its key and origin.
        request: Hash of the request about the sample, see `request_hash`.
    """

    data_set: str
    drawn: DrawnSample
    request: str

    @property
    def identity(self) -> tuple[str, ...]:
        """Values of the fields that identify its line in the results."""
        fields = {"request": self.request, "dataset": self.data_set, "key": self.key}
        return tuple(fields[name] for name in IDENTITY)

    @property
    def key(self) -> str:
        """The sample's key, 16 hexadecimal digits."""
        return f"{self.drawn.key:016x}"


def open_requests(
    items: Iterable[AssessItem], answered: Iterable[Assessment]
) -> dict[str, tuple[AssessItem, ...]]:
    """Returns the requests that have no scores yet, each with the samples that share it.

    Args:
        items: Samples of the run.
        answered: Lines of the results so far.
    """
    done = {line.request for line in answered if line.state == "ok"}
    groups: dict[str, tuple[AssessItem, ...]] = {}
    for item in items:
        if item.request not in done:
            groups[item.request] = (*groups.get(item.request, ()), item)
    return groups


class AssessmentLog:
    """The samples of one run, and a log of what the judge said of each.

    Args:
        log: Log that results are read from and appended to.
        items: Samples of the run.
        model: Name of the model that judges.
        prices: Prices of tokens; None where they are not known.

    Raises:
        FormatError: A line of the log is no result.
    """

    def __init__(
        self, log: AnswerLog, items: Iterable[AssessItem], model: str, prices: Prices | None
    ) -> None:
        self._log, self._model, self._prices = log, model, prices
        self._lines = dict(_lines(log))
        self._items = list(items)
        self._earlier = dict(self._lines)
        self._share_scores()
        self._groups = open_requests(self._items, self._lines.values())

    @property
    def total(self) -> Spending:
        """What all requests in the log came to, those of earlier runs included."""
        total = NOTHING
        for line in self._lines.values():
            total += line.spent.priced(self._prices)
        return total

    def tasks(self) -> list[Task]:
        """Returns a task for each open request."""
        return [_task(request, group[0]) for request, group in self._groups.items()]

    def read(self, task: Task, reply: Reply) -> JudgeScores:
        """Reads the scores of a reply; see `read_reply` for its errors."""
        sample = self._groups[task.request][0].drawn.sample
        return read_reply(reply, has_image=bool(sample.images))

    def record(self, task: Task, result: TaskResult[JudgeScores]) -> None:
        """Keeps what came of a request; of the samples that share it the first has the cost."""
        for number, item in enumerate(self._groups[task.request]):
            spent = NOTHING if number else result.spent
            earlier = self._earlier.get(item.identity)
            if earlier is not None:
                spent = earlier.spent.priced(self._prices) + spent
            self._keep(self._assessment(item, result, spent.priced(self._prices)))

    def states(self, data_set: str) -> dict[State, int]:
        """Returns the number of samples of a data set in each state."""
        states: dict[State, int] = {}
        for item in self._items:
            line = self._lines.get(item.identity)
            if item.data_set == data_set and line is not None:
                states[line.state] = states.get(line.state, 0) + 1
        return states

    def example(self) -> str:
        """Describes the first sample without scores; empty where there is none."""
        lines = (self._lines.get(item.identity) for item in self._items)
        return next((failed_reply(line) for line in lines if line and line.state != "ok"), "")

    def _share_scores(self) -> None:
        """Gives samples the scores of an equal request that was sent for another sample."""
        scored = {line.request: line for line in self._lines.values() if line.state == "ok"}
        for item in self._items:
            shared, earlier = scored.get(item.request), self._lines.get(item.identity)
            if shared is None or (earlier is not None and earlier.state == "ok"):
                continue
            result = TaskResult(
                state=shared.state, value=JudgeScores({**shared.scores}, {**shared.comments})
            )
            spent = NOTHING if earlier is None else earlier.spent
            self._keep(self._assessment(item, result, spent))

    def _keep(self, line: Assessment) -> None:
        self._log.append(line.to_dict())
        self._lines[_identity(line)] = line

    def _assessment(
        self, item: AssessItem, result: TaskResult[JudgeScores], spent: Spending
    ) -> Assessment:
        judged = result.value or JudgeScores({}, {})
        return Assessment(
            key=item.key,
            request=item.request,
            dataset=item.data_set,
            id=item.drawn.sample.id,
            source=item.drawn.origin.source,
            position=item.drawn.origin.position,
            has_image=bool(item.drawn.sample.images),
            model=self._model,
            prompt_version=RUBRIC_VERSION,
            state=result.state,
            scores=judged.scores,
            comments=judged.comments,
            reply=result.reply,
            error=result.error,
            attempts=spent.attempts,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
            cost=spent.cost if self._prices is not None else None,
        )


def _task(request: str, item: AssessItem) -> Task:
    sample = item.drawn.sample
    return Task(request, lambda: messages_for(sample), estimate_prompt_tokens(sample))


def _identity(line: Assessment) -> tuple[Any, ...]:
    return tuple(getattr(line, name) for name in IDENTITY)


def _lines(log: AnswerLog) -> Iterator[tuple[tuple[Any, ...], Assessment]]:
    record: Mapping[str, Any]
    for identity, record in log.records.items():
        try:
            yield identity, Assessment.from_dict(record)
        except (TypeError, ValueError) as error:
            raise FormatError(log.path, f"not an assessment: {error}") from None
