"""Judgements are asked for once, kept, and asked for again only where the judge failed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import orjson
import pytest
from judged_results import judged, mixed, number_of, outcomes, verdict_on
from loopback_server import Answer, failure, reply, serving
from result_folders import fill, question

from packkit.base.errors import InputError
from packkit.infimed.chat import AccessError
from packkit.infimed.evaluation.scoring import JudgeFailuresError, ScoreConfig, score

TOKENS = ("prompt_tokens", "completion_tokens")

# How a server can fail at its first reply to a question, and go on well.
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


def test_scoring_again_asks_nobody_and_gives_the_same_bytes(tmp_path, monkeypatch):
    results = fill(tmp_path, mixed())
    with serving(lambda request: verdict_on(number_of(request) < 3)) as server:
        judged(results, server)
        asked = len(server.log)
    files = [results.scores_file("strict+j"), results.verdicts_file("strict+j")]
    before = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    # No key, no server, and a judge that is not even made.
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    score(results, ScoreConfig(judge="j"))
    assert [path.read_bytes() for path in files] == before
    assert len(server.log) == asked


def test_what_a_judge_was_asked_once_serves_every_scorer(tmp_path):
    results = fill(tmp_path, [(question(str(number)), "the aorta") for number in range(6)])
    with serving(lambda request: verdict_on(True)) as server:
        judged(results, server, "strict")
        judged(results, server, "medevalkit")
    assert len(server.log) == 6


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_changes_no_verdict(tmp_path, fault):
    results, seen = fill(tmp_path, mixed()), set()

    def script(request):
        number = number_of(request)
        if number in (2, 5) and number not in seen:
            seen.add(number)
            return FAULTS[fault]()
        return verdict_on(number % 2 == 0)

    with serving(script) as server:
        judged(results, server)
    assert len(server.log) == 10
    assert [outcomes(results)[str(number)] for number in range(8)] == ["right", "wrong"] * 4


@pytest.mark.parametrize("fault", LASTING)
def test_a_failed_judge_is_neither_right_nor_wrong(tmp_path, fault):
    results = fill(tmp_path, mixed())

    def script(request):
        return LASTING[fault]() if number_of(request) == 3 else verdict_on(True)

    with serving(script) as server:
        with pytest.raises(JudgeFailuresError, match="no verdict on 1 of 8 answers") as caught:
            judged(results, server)
        assert (caught.value.failed, caught.value.asked) == (1, 8)
        assert not results.scores_file("strict+j").exists()
        asked = len(server.log)
    # Where so many may fail, nobody is asked again.
    scores = judged(results, server, max_judge_failures=0.125)
    assert len(server.log) == asked
    total = scores.benchmarks["vqa-rad"].open
    assert (total.n, total.right, total.judge_failed, total.decided) == (8, 7, 1, 7)
    assert total.accuracy == 1
    assert outcomes(results)["3"] == "judge_failed"


def test_what_failed_too_often_is_asked_again_and_nothing_else(tmp_path):
    results = fill(tmp_path, mixed())

    def script(request):
        return reply("{") if number_of(request) < 4 else verdict_on(True)

    with serving(script) as server:
        with pytest.raises(JudgeFailuresError, match="4 of 8"):
            judged(results, server)
        before = len(server.log)
        server.script = lambda request: verdict_on(False)
        scores = judged(results, server)
    assert {number_of(entry.request) for entry in server.log[before:]} == {0, 1, 2, 3}
    total = scores.benchmarks["vqa-rad"].open
    assert (total.right, total.judge_failed) == (4, 0)


def test_a_wrong_key_ends_the_run(tmp_path):
    results = fill(tmp_path, mixed())
    with (
        serving(lambda request: failure(401, "bad key")) as server,
        pytest.raises(AccessError, match="bad key"),
    ):
        judged(results, server)
    assert not results.scores_file("strict+j").exists()


def test_a_limit_leaves_no_scores_behind(tmp_path):
    results = fill(tmp_path, mixed())
    with serving(lambda request: verdict_on(True)) as server:
        with pytest.raises(InputError, match="max_requests = 5 left answers"):
            judged(results, server, max_requests=5)
        assert len(server.log) == 5
        judged(results, server, max_requests=8)
    assert len(server.log) == 8


def lines_of(results):
    return [orjson.loads(line) for line in results.judgements_file.read_bytes().splitlines()]


def test_with_all_faults_at_once_every_answer_has_one_state_and_every_token_is_counted(tmp_path):
    """Each fault strikes some answers once, and four answers always."""
    results = fill(tmp_path, mixed(40))
    passing, lasting = list(FAULTS.values()), ["refused", "filtered", "no verdict", "too long"]
    seen = set()

    def script(request):
        number = number_of(request)
        if number < len(lasting):
            return LASTING[lasting[number]]()
        if number % 3 == 0 and number not in seen:
            seen.add(number)
            return passing[number % len(passing)]()
        return verdict_on(number % 2 == 0, usage=(90 + number, 7), delay=0.002)

    with serving(script) as server:
        scores = judged(results, server, max_judge_failures=0.1)
        server.settle()
    total = scores.benchmarks["vqa-rad"].open
    right = sum(number % 2 == 0 for number in range(len(lasting), 40))
    assert (total.n, total.judge_failed, total.right) == (40, len(lasting), right)
    last = {line["request"]: line for line in lines_of(results)}
    states = Counter(line["state"] for line in last.values())
    assert states == {"ok": 36, "refused": 2, "parse_error": 1, "http_error": 1}
    assert sum(line["attempts"] for line in last.values()) == len(server.log)
    tokens = [sum(line[name] for line in last.values()) for name in TOKENS]
    assert tuple(tokens) == server.usage


def test_a_killed_judge_run_goes_on_and_pays_at_most_for_what_was_on_its_way(tmp_path):
    results = fill(tmp_path, mixed(40))
    words = [sys.executable, "-m", "packkit", "eval", "score", str(tmp_path), "--judge", "j"]
    words += ["--concurrency", "4", "--json"]
    environment = {name: os.environ[name] for name in os.environ if "OPENAI" not in name}

    def start(server):
        access = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url}
        return subprocess.Popen(
            words, env={**environment, **access}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    with serving(lambda request: verdict_on(number_of(request) < 10, delay=0.03)) as server:
        process = start(server)
        while len(server.log) < 12:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert results.scorings() == []
        out, err = (process := start(server)).communicate(timeout=60)
    assert process.returncode == 0, err
    assert orjson.loads(out)["benchmarks"]["vqa-rad"]["open"]["right"] == 10
    assert 40 <= len(server.log) <= 44
