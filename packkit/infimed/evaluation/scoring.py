"""From saved answers to scores; no model is needed, and no judge for what was judged before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from packkit.base.errors import InputError, PackkitError
from packkit.infimed.chat import ChatModel, Limits, OpenAIChat, RetryPolicy
from packkit.infimed.evaluation.judge_prompt import JUDGE_PROMPT_VERSION
from packkit.infimed.evaluation.judgements import Judgements, OnJudgement, ToJudge
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import GivenAnswer, Results, answers_hash, scoring_name
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scorers import Reading, Scorer, scorer_named
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Outcome, Verdict, write_verdicts

# Enough to say what is wrong.
_SHOWN = 3


class JudgeFailuresError(PackkitError, RuntimeError):
    """A judge gave no verdict on too many answers, so there are no scores.

    Attributes:
        failed: Answers without a verdict.
        asked: Answers that it was to decide on.
        limit: The share of them that may fail.
    """

    def __init__(self, failed: int, asked: int, limit: float, examples: Sequence[str]) -> None:
        super().__init__(
            f"the judge gave no verdict on {failed:,} of {asked:,} answers, and {limit:.1%} may "
            f"fail: {'; '.join(examples)}. Score again to ask for them again"
        )
        self.failed, self.asked, self.limit = failed, asked, limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """Options of `score`.

    Attributes:
        scorer: Name of the rules.
        seed: Of the draws of rules that draw.
        judge: Model that decides on open questions; None leaves them to the rules.
        base_url: Of its endpoint; by default that of OPENAI_BASE_URL, else OpenAI's own.
        concurrency: Requests on their way at the same time.
        max_requests: That may be sent to judges; those of earlier runs in this folder count.
        max_tokens: That a reply may have, those of its reasoning included.
        max_judge_failures: Share of the answers judged that may stay without a verdict.

    Raises:
        InputError: A value is out of range.
    """

    scorer: str = "strict"
    seed: int = 0
    judge: str | None = None
    base_url: str | None = None
    concurrency: int = 8
    max_requests: int | None = None
    max_tokens: int = 4096
    max_judge_failures: float = 0.01

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.max_judge_failures <= 1:
            raise InputError(f"max_judge_failures must be 0 to 1, got {self.max_judge_failures}")
        if self.judge == "":
            raise InputError("judge must name a model, got ''")
        if self.judge is None and self.base_url is not None:
            raise InputError(f"base_url needs a judge, got {self.base_url} alone")


class _Item(NamedTuple):
    """An answer, and what the rules make of it."""

    question: Question
    reading: Reading

    @property
    def to_judge(self) -> ToJudge | None:
        """What a judge is to decide on; None where nothing was said."""
        answer = self.reading.answer
        return ToJudge(self.question, answer) if answer and answer.strip() else None


def score(
    results: Results,
    config: ScoreConfig,
    *,
    judge: ChatModel | None = None,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008
    on_progress: OnJudgement | None = None,
) -> ScoreFile:
    """Scores the answers in a folder, and writes scores and verdicts there.

    Args:
        results: The folder; every question of its benchmarks has an answer.
        config: Options.
        judge: Whom to ask, by the name in `config`; by default an `OpenAIChat`, made only if there
            is something to ask.
        policy: How often a judge is asked about an answer.
        on_progress: Called whenever a judge has decided.

    Raises:
        InputError: Answers are missing, or options make no sense.
        JudgeFailuresError: Too many answers are without a verdict; those that came are kept.
        AccessError: The judge answers no request at all.
        FormatError: A file in the folder is not what it should be.
        MissingExtraError: Openai is needed and not installed.
    """
    settings, answers = results.settings(), results.answers()
    scorer = scorer_named(config.scorer, config.seed)
    questions = {name: results.questions(name) for name in settings.benchmarks}
    items = {
        name: _read(scorer, asked, _answers_to(asked, answers)) for name, asked in questions.items()
    }
    with ExitStack() as stack:
        judgements = None
        if config.judge is not None:
            judgements = stack.enter_context(Judgements(results.judgements_file, config.judge))
            _judge(_to_judge(scorer, items), judgements, config, judge, policy, on_progress)
        verdicts = {
            name: [_verdict(scorer, item, judgements) for item in of] for name, of in items.items()
        }
    scores = ScoreFile(
        model=settings.model,
        scorer=scorer.name,
        scorer_version=scorer.version,
        seed=scorer.seed,
        judge=config.judge,
        judge_prompt_version=None if config.judge is None else JUDGE_PROMPT_VERSION,
        prompt_version=settings.prompt_version,
        answers=answers_hash(answers),
        questions={name: one.hash for name, one in settings.benchmarks.items()},
        benchmarks={
            name: tally_verdicts(asked, verdicts[name]) for name, asked in questions.items()
        },
    )
    name = scoring_name(scorer.name, config.judge, scorer.seed)
    # Scores are written last: where they are, their verdicts are.
    write_verdicts(results.verdicts_file(name), [one for of in verdicts.values() for one in of])
    scores.write(results.scores_file(name))
    return scores


def _answers_to(
    questions: Sequence[Question], answers: Mapping[tuple[str, str], GivenAnswer]
) -> Iterator[str]:
    """Yields the reply to each question; a refused one is empty."""
    found = [answers.get((one.benchmark, one.key)) for one in questions]
    missing = [
        f"{question.key}: {'not asked' if answer is None else answer.error}"
        for question, answer in zip(questions, found, strict=True)
        if answer is None or not answer.is_final
    ]
    if missing:
        raise InputError(
            f"{questions[0].benchmark}: {len(missing):,} of {len(questions):,} questions have no "
            f"answer ({'; '.join(missing[:_SHOWN])}): packkit eval run goes on with them"
        )
    return (answer.text for answer in found if answer is not None)


def _read(scorer: Scorer, questions: Sequence[Question], replies: Iterator[str]) -> list[_Item]:
    return [
        _Item(question, scorer.read(question, reply))
        for question, reply in zip(questions, replies, strict=True)
    ]


def _to_judge(scorer: Scorer, items: Mapping[str, Sequence[_Item]]) -> list[ToJudge]:
    found = [
        item.to_judge for of in items.values() for item in of if scorer.asks_judge(item.question)
    ]
    return [one for one in found if one is not None]


def _judge(
    items: Sequence[ToJudge],
    judgements: Judgements,
    config: ScoreConfig,
    judge: ChatModel | None,
    policy: RetryPolicy,
    on_progress: OnJudgement | None,
) -> None:
    """Has a judge decide on what nobody has asked it about, and on what failed too often.

    Raises:
        JudgeFailuresError: Too many answers are without a verdict.
        InputError: A limit left answers that were not asked about.
    """
    allowed = config.max_judge_failures * len(items)
    failed = judgements.failed(items)
    # A few failures are let be, so that scoring again needs no judge and changes no number.
    asked = judgements.unasked(items) + (failed if len(failed) > allowed else [])
    if asked:
        report = judgements.ask(
            judge or _open_judge(config),
            asked,
            concurrency=config.concurrency,
            limits=Limits(config.max_requests),
            policy=policy,
            on_progress=on_progress,
        )
        if report.reached is not None:
            raise InputError(
                f"{report.reached} = {config.max_requests} left answers that no judge has seen: "
                "score again with a higher limit"
            )
    failed = judgements.failed(items)
    if len(failed) > allowed:
        given = [judgements.of(item) for item in failed]
        errors = dict.fromkeys(f"{one.state}: {one.error}" for one in given if one is not None)
        shown = list(errors)[:_SHOWN]
        raise JudgeFailuresError(len(failed), len(items), config.max_judge_failures, shown)


def _open_judge(config: ScoreConfig) -> ChatModel:
    model = config.judge or ""
    return OpenAIChat(model, base_url=config.base_url, max_tokens=config.max_tokens)


def _verdict(scorer: Scorer, item: _Item, judgements: Judgements | None) -> Verdict:
    question, reading = item
    verdict = Verdict(
        benchmark=question.benchmark,
        question=question.key,
        outcome="unparsed" if reading.answer is None else _decided(reading.is_right),
        answer=reading.answer,
        by="rules",
        is_guess=reading.is_guess,
    )
    if judgements is None or not scorer.asks_judge(question) or item.to_judge is None:
        return verdict
    given = judgements.of(item.to_judge)
    if given is None:
        raise RuntimeError(f"{question.benchmark}/{question.key} was not judged")
    return replace(
        verdict,
        outcome="judge_failed" if given.is_right is None else _decided(given.is_right),
        by="judge",
        is_guess=False,
        reason=given.reason or given.error,
    )


def _decided(is_right: bool) -> Outcome:
    return "right" if is_right else "wrong"
