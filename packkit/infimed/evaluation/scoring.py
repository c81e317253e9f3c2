"""Scores saved answers: a scorer reads each reply, a judge decides on open questions.

No model is needed, and no judge for what was judged before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

from packkit.base.errors import InputError, PackkitError
from packkit.base.orders import LARGEST_SEED
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import LARGEST_COUNT, check_number, check_whole
from packkit.infimed.chat import (
    LARGEST_CONCURRENCY,
    Address,
    ChatModel,
    Limits,
    OpenAIChat,
    RetryPolicy,
    failed_reply,
)
from packkit.infimed.evaluation.judge_prompt import JUDGE_PROMPT_VERSION
from packkit.infimed.evaluation.judgements import Judgements, JudgeRequest, OnJudgement
from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import AnswerRecord, Results, answers_hash, scoring_name
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scorers import Reading, Scorer, scorer_named
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Outcome, Verdict, write_verdicts

# How many missing answers or errors of a judge a message names.
_SHOWN = 3


class JudgeFailuresError(PackkitError, RuntimeError):
    """A judge failed on too many answers, so there are no scores.

    Attributes:
        failed: Number of answers that the judge gave no verdict on.
        asked: Number of answers that the judge was to decide on.
        limit: Share of the answers asked about that may fail, 0 to 1.
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
        scorer: Name of the rules that read replies, ``strict`` or ``medevalkit``.
        seed: Seed of what the rules draw at random; ``strict`` draws nothing.
        judge: Model that decides on open questions; None leaves them to the rules.
        base_url: URL of the judge's endpoint; by default OPENAI_BASE_URL, else OpenAI's own.
        concurrency: Requests on their way to the judge at the same time.
        max_requests: Requests that may be sent to judges, those of earlier runs in this folder
            included; None sets no limit.
        max_tokens: Tokens that a reply of the judge may have, its reasoning included.
        max_judge_failures: Share of the judged answers that the judge may fail on, 0 to 1.

    Raises:
        InputError: A value is out of range.
    """

    scorer: str = "strict"
    seed: int = 0
    judge: str | None = None
    base_url: str | None = field(default=None, repr=False)
    concurrency: int = 8
    max_requests: int | None = None
    max_tokens: int = 4096
    max_judge_failures: float = 0.01

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        check_whole("concurrency", self.concurrency, 1, LARGEST_CONCURRENCY)
        check_whole("max_tokens", self.max_tokens, 1, LARGEST_CAPACITY)
        if self.max_requests is not None:
            check_whole("max_requests", self.max_requests, 1, LARGEST_COUNT)
        check_number("max_judge_failures", self.max_judge_failures, 0, 1)
        if self.judge == "":
            raise InputError("judge must name a model, got ''")
        url = None if self.base_url is None else Address.parse(self.base_url).url
        if self.judge is None and url is not None:
            raise InputError(f"base_url needs a judge, got {url} alone")


class _ReadReply(NamedTuple):
    """A question, and the scorer's reading of the reply to it."""

    question: Question
    reading: Reading


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
        results: Folder in which every question of its benchmarks has an answer.
        config: Options.
        judge: Model to ask, named as `config` names the judge; by default an `OpenAIChat`, made
            only if there is something to ask.
        policy: How often a judge is asked about an answer.
        on_progress: Called whenever a judge has decided.

    Raises:
        InputError: Answers are missing, or options do not make sense.
        JudgeFailuresError: The judge failed on too many answers; the judgements that came are kept.
        AccessError: The judge answers no request at all.
        FormatError: A file in the folder is not what it should be.
        MissingExtraError: Package openai is needed and not installed.
    """
    settings, answers = results.settings(), results.answers()
    scorer = scorer_named(config.scorer, config.seed)
    questions = {name: results.questions(name) for name in settings.benchmarks}
    replies = {name: _read(scorer, asked, answers) for name, asked in questions.items()}
    verdicts = _decide(scorer, replies, results, config, judge, policy, on_progress)
    scores = ScoreFile(
        model=settings.model,
        method=Method(
            scorer=scorer.name,
            scorer_version=scorer.version,
            seed=scorer.seed,
            judge=config.judge,
            judge_prompt_version=None if config.judge is None else JUDGE_PROMPT_VERSION,
            prompt_version=settings.prompt_version,
        ),
        answers=answers_hash(answers),
        questions={name: asked.hash for name, asked in settings.benchmarks.items()},
        benchmarks={
            name: tally_verdicts(asked, verdicts[name]) for name, asked in questions.items()
        },
    )
    name = scoring_name(scorer.name, config.judge, scorer.seed)
    # Scores are written last: where they are, their verdicts are.
    write_verdicts(results.verdicts_file(name), chain.from_iterable(verdicts.values()))
    scores.write(results.scores_file(name))
    return scores


def _read(
    scorer: Scorer, questions: Sequence[Question], answers: Mapping[tuple[str, str], AnswerRecord]
) -> list[_ReadReply]:
    """Reads the reply to each question of a benchmark; a refused answer has an empty one.

    Raises:
        InputError: A question has no answer.
    """
    read: list[_ReadReply] = []
    missing: list[str] = []
    for question in questions:
        answer = answers.get((question.benchmark, question.key))
        if answer is not None and answer.is_final:
            read.append(_ReadReply(question, scorer.read(question, answer.text)))
        else:
            missing.append(f"{question.key}: {'not asked' if answer is None else answer.error}")
    if missing:
        raise InputError(
            f"{questions[0].benchmark}: {len(missing):,} of {len(questions):,} questions have no "
            f"answer ({'; '.join(missing[:_SHOWN])}): run the benchmarks again to ask for them"
        )
    return read


def _decide(
    scorer: Scorer,
    replies: Mapping[str, Sequence[_ReadReply]],
    results: Results,
    config: ScoreConfig,
    judge: ChatModel | None,
    policy: RetryPolicy,
    on_progress: OnJudgement | None,
) -> dict[str, list[Verdict]]:
    """Returns the verdicts on the replies to each benchmark, having asked the judge if need be."""
    if config.judge is None:
        return {name: [_rules_verdict(reply) for reply in read] for name, read in replies.items()}
    with Judgements(results.judgements_file, config.judge) as judgements:
        requests = [
            request
            for reply in chain.from_iterable(replies.values())
            if (request := _judge_request(scorer, reply)) is not None
        ]
        _ask_judge(requests, judgements, config, judge, policy, on_progress)
        return {
            name: [_verdict(scorer, reply, judgements) for reply in read]
            for name, read in replies.items()
        }


def _judge_request(scorer: Scorer, reply: _ReadReply) -> JudgeRequest | None:
    """Returns what a judge is asked about a reply; None where the rules decide."""
    answer = reply.reading.answer
    if not scorer.asks_judge(reply.question) or not answer or not answer.strip():
        return None
    return JudgeRequest(reply.question, answer)


def _ask_judge(
    requests: Sequence[JudgeRequest],
    judgements: Judgements,
    config: ScoreConfig,
    judge: ChatModel | None,
    policy: RetryPolicy,
    on_progress: OnJudgement | None,
) -> None:
    """Has a judge decide on what nobody has asked it about, and on what failed too often.

    Raises:
        JudgeFailuresError: The judge failed on too many answers.
        InputError: A limit left answers that were not asked about.
    """
    allowed = config.max_judge_failures * len(requests)
    failed = judgements.failed(requests)
    # A few failures are accepted, so that scoring again needs no judge and changes no number.
    unanswered = judgements.unasked(requests) + (failed if len(failed) > allowed else [])
    if unanswered:
        report = judgements.ask(
            judge or _open_judge(config),
            unanswered,
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
    failed = judgements.failed(requests)
    if len(failed) > allowed:
        records = filter(None, map(judgements.get, failed))
        # One reply for each error is enough.
        errors = {f"{record.state}: {record.error}": failed_reply(record) for record in records}
        shown = list(errors.values())[:_SHOWN]
        raise JudgeFailuresError(len(failed), len(requests), config.max_judge_failures, shown)


def _open_judge(config: ScoreConfig) -> ChatModel:
    model = config.judge or ""
    return OpenAIChat(model, base_url=config.base_url, max_tokens=config.max_tokens)


def _verdict(scorer: Scorer, reply: _ReadReply, judgements: Judgements) -> Verdict:
    """Returns the judge's verdict on a reply; that of the rules where the judge is not asked."""
    verdict, request = _rules_verdict(reply), _judge_request(scorer, reply)
    if request is None:
        return verdict
    record = judgements.get(request)
    if record is None:
        raise RuntimeError(f"{verdict.benchmark}/{verdict.question} was not judged")
    return replace(
        verdict,
        outcome="judge_failed" if record.is_right is None else _outcome(record.is_right),
        by="judge",
        is_guess=False,
        reason=record.reason or record.error,
    )


def _rules_verdict(reply: _ReadReply) -> Verdict:
    question, reading = reply
    return Verdict(
        benchmark=question.benchmark,
        question=question.key,
        outcome="unparsed" if reading.answer is None else _outcome(reading.is_right),
        answer=reading.answer,
        by="rules",
        is_guess=reading.is_guess,
    )


def _outcome(is_right: bool) -> Outcome:
    return "right" if is_right else "wrong"
