"""Folders of answers to score, and judges that say what a test wants."""

import re

from loopback_server import Answer, failure, reply, user_text
from result_folders import choice, question

from packkit.infimed.chat import OpenAIChat, RetryPolicy
from packkit.infimed.evaluation.scoring import ScoreConfig, score
from packkit.infimed.evaluation.verdicts import read_verdicts

POLICY = RetryPolicy(attempts=3, unreadable=2, base=0.01, longest=1.0)
TOKENS = ("prompt_tokens", "completion_tokens")
NUMBER = re.compile(r"image (\d+)")


def mixed(n_open=8):
    """Questions of all kinds, and right answers to them."""
    return [
        (question("y", "yes_no", "yes"), "Yes."),
        (choice("c"), "B"),
        (question("k", "closed", "Lung", benchmark="slake"), "lung"),
        *((question(str(number)), f"the aorta {number}") for number in range(n_open)),
    ]


def number_of(request):
    """Number of the open question that a judge is asked about."""
    return int(NUMBER.search(user_text(request))[1])


def verdict_on(is_right, **options):
    return reply(f'{{"reason": "because", "correct": {str(is_right).lower()}}}', **options)


def judged(results, server, scorer="strict", **options):
    config = ScoreConfig(scorer=scorer, judge="j", concurrency=4, **options)
    judge = OpenAIChat("j", base_url=server.url, api_key="k", max_tokens=50)
    return score(results, config, judge=judge, policy=POLICY)


def outcomes(results, name="strict+j"):
    return {one.question: one.outcome for one in read_verdicts(results.verdicts_file(name))}


FAULTS = {
    "429": lambda: failure(429, headers={"Retry-After": "0"}),
    "500": lambda: failure(500),
    "broken JSON": lambda: reply("{"),
    "no verdict": lambda: reply('{"reason": "so"}'),
    "verdict in words": lambda: reply('{"correct": "yes"}'),
    "parts in place of text": lambda: reply([{"type": "text", "text": "{}"}]),
    "no message": lambda: Answer(body={"choices": [{"index": 0, "finish_reason": "stop"}]}),
    "no choices": lambda: Answer(body={"choices": []}),
    "cut connection": lambda: verdict_on(True, cut_after=40),
    "not JSON": lambda: Answer(body=b"<html>"),
}
LASTING = {
    **FAULTS,
    "refused": lambda: reply(None, refusal="I cannot"),
    "filtered": lambda: failure(400, "filtered", code="content_filter"),
    "too long": lambda: failure(400, "this model's maximum context length is 10 tokens"),
}
