"""The results of a run as it goes: what is answered already, and who pays for what is not."""

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
)
from packkit.infimed.curation.prompt import estimated_tokens, messages_for
from packkit.infimed.curation.replies import JudgeScores, read_reply
from packkit.infimed.curation.results import IDENTITY, Assessment
from packkit.infimed.curation.rubric import RUBRIC_VERSION
from packkit.infimed.curation.sampling import Drawn


@dataclass(frozen=True, slots=True)
class Item:
    """A sample to be judged.

    Attributes:
        dataset: Name of the data set that it was drawn from.
        drawn: The sample.
        request: `request_hash` of it.
    """

    dataset: str
    drawn: Drawn
    request: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What its line in the results is known by."""
        fields = {"request": self.request, "dataset": self.dataset, "key": self.key}
        return tuple(fields[name] for name in IDENTITY)

    @property
    def key(self) -> str:
        """The sample's key, 16 hexadecimal digits."""
        return f"{self.drawn.key:016x}"


def open_requests(
    items: Iterable[Item], answered: Iterable[Assessment]
) -> dict[str, tuple[Item, ...]]:
    """Returns the requests that have no scores yet, each with the samples that share it.

    Args:
        items: The samples.
        answered: All results so far.
    """
    done = {one.request for one in answered if one.state == "ok"}
    groups: dict[str, tuple[Item, ...]] = {}
    for item in items:
        if item.request not in done:
            groups[item.request] = (*groups.get(item.request, ()), item)
    return groups


class Answers:
    """The results of one run.

    Args:
        log: Where they are kept.
        items: The samples of the run.
        model: The judge.
        prices: Of tokens, where they are known.

    Raises:
        FormatError: The log holds something else than results.
    """

    def __init__(
        self, log: AnswerLog, items: Iterable[Item], model: str, prices: Prices | None
    ) -> None:
        self._log, self._model, self._prices = log, model, prices
        self._lines = dict(_lines(log))
        self._items = list(items)
        self._before = dict(self._lines)
        self._share_scores()
        self._groups = open_requests(self._items, self._lines.values())

    @property
    def total(self) -> Spending:
        """What all results in the file came to, those of earlier runs included."""
        total = NOTHING
        for line in self._lines.values():
            total += line.spent.priced(self._prices)
        return total

    def tasks(self) -> list[Task]:
        """Returns what is to be asked, each request once."""
        return [_task(request, group[0]) for request, group in self._groups.items()]

    def read(self, task: Task, reply: Reply) -> JudgeScores:
        """Reads the scores of a reply; see `read_reply` for its errors."""
        sample = self._groups[task.request][0].drawn.sample
        return read_reply(reply, has_image=bool(sample.images))

    def record(self, task: Task, outcome: TaskResult[JudgeScores]) -> None:
        """Keeps what came of a request so far; the first sample that shares it pays."""
        for number, item in enumerate(self._groups[task.request]):
            spent = NOTHING if number else outcome.spent
            before = self._before.get(item.identity)
            if before is not None:
                spent = before.spent.priced(self._prices) + spent
            self._keep(self._assessment(item, outcome, spent.priced(self._prices)))

    def states(self, dataset: str) -> dict[State, int]:
        """Returns how many samples of a data set are in which state."""
        states: dict[State, int] = {}
        for item in self._items:
            line = self._lines.get(item.identity)
            if item.dataset == dataset and line is not None:
                states[line.state] = states.get(line.state, 0) + 1
        return states

    def _share_scores(self) -> None:
        """Gives samples the scores of an equal request that was paid for another sample."""
        paid = {line.request: line for line in self._lines.values() if line.state == "ok"}
        for item in self._items:
            line, own = paid.get(item.request), self._lines.get(item.identity)
            if line is None or (own is not None and own.state == "ok"):
                continue
            outcome = TaskResult(
                state=line.state, value=JudgeScores({**line.scores}, {**line.comments})
            )
            self._keep(self._assessment(item, outcome, NOTHING if own is None else own.spent))

    def _keep(self, line: Assessment) -> None:
        self._log.append(line.to_dict())
        self._lines[_identity(line)] = line

    def _assessment(
        self, item: Item, outcome: TaskResult[JudgeScores], spent: Spending
    ) -> Assessment:
        said = outcome.value or JudgeScores({}, {})
        return Assessment(
            key=item.key,
            request=item.request,
            dataset=item.dataset,
            id=item.drawn.sample.id,
            source=item.drawn.origin.source,
            position=item.drawn.origin.position,
            has_image=bool(item.drawn.sample.images),
            model=self._model,
            prompt_version=RUBRIC_VERSION,
            state=outcome.state,
            scores=said.scores,
            comments=said.comments,
            reply=outcome.reply,
            error=outcome.error,
            attempts=spent.attempts,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
            cost=spent.cost if self._prices is not None else None,
        )


def _task(request: str, item: Item) -> Task:
    sample = item.drawn.sample
    return Task(request, lambda: messages_for(sample), estimated_tokens(sample))


def _identity(line: Assessment) -> tuple[Any, ...]:
    return tuple(getattr(line, name) for name in IDENTITY)


def _lines(log: AnswerLog) -> Iterator[tuple[tuple[Any, ...], Assessment]]:
    record: Mapping[str, Any]
    for identity, record in log.records.items():
        try:
            yield identity, Assessment.from_dict(record)
        except (TypeError, ValueError) as error:
            raise FormatError(log.path, f"no line of an assessment: {error}") from None
