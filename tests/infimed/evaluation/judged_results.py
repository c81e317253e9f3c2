"""Folders of results whose open questions a judge on a local server decides on."""

import re

from loopback_server import reply, user_text
from result_folders import choice, question

from packkit.infimed.chat import OpenAIChat, RetryPolicy
from packkit.infimed.evaluation.scoring import ScoreConfig, score
from packkit.infimed.evaluation.verdicts import read_verdicts

POLICY = RetryPolicy(attempts=3, unreadable=2, base=0.01, longest=1.0)
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
    verdicts = read_verdicts(results.verdicts_file(name))
    return {verdict.question: verdict.outcome for verdict in verdicts}
