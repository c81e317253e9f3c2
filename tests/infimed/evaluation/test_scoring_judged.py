"""Judges that fail, are killed or asked once: every answer has one state, every token counts."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import orjson
import pytest
from loopback_server import serving
from result_folders import fill, question
from scored_folders import FAULTS, LASTING, judged, mixed, number_of, verdict_on
from scripted_judge import ScriptedJudge

from packkit.infimed.chat import RetryPolicy
from packkit.infimed.evaluation.judge_prompt import judge_messages, judgement_hash
from packkit.infimed.evaluation.scoring import JudgeFailuresError, ScoreConfig, score

POLICY = RetryPolicy(attempts=3, unreadable=2, base=0.01, longest=1.0)
TOKENS = ("prompt_tokens", "completion_tokens")
NUMBER = re.compile(r"image (\d+)")


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
        own = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url}
        return subprocess.Popen(
            words, env={**environment, **own}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
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


def test_a_judge_is_told_which_text_is_the_reference():
    (_, user) = judge_messages(question("1", gold="aorta", text="Which?"), "vena cava")
    assert orjson.loads(user["content"]) == {
        "question": "Which?", "reference": "aorta", "answer": "vena cava"
    }  # fmt: skip


def test_a_judgement_is_of_all_that_was_asked_and_of_whom(monkeypatch):
    one = question("1", text="Which?")
    others = [replace(one, text="Where?"), replace(one, gold="lung")]
    hashes = {judgement_hash(asked, "a", "j") for asked in (one, *others)}
    hashes |= {judgement_hash(one, "b", "j"), judgement_hash(one, "a", "k")}
    monkeypatch.setattr("packkit.infimed.evaluation.judge_prompt.JUDGE_PROMPT_VERSION", "next")
    assert len(hashes | {judgement_hash(one, "a", "j")}) == 6


@pytest.mark.parametrize("failures", [1, 2])
def test_one_of_a_hundred_judgements_may_fail(tmp_path, failures):
    results = fill(tmp_path, mixed(100))

    def script(messages):
        number = int(NUMBER.search(messages[-1]["content"])[1])
        return "perhaps" if number < failures else '{"correct": true}'

    judge = ScriptedJudge("j", script)
    if failures == 1:
        assert score(results, ScoreConfig(judge="j"), judge=judge).judge == "j"
    else:
        with pytest.raises(JudgeFailuresError, match="2 of 100 answers"):
            score(results, ScoreConfig(judge="j"), judge=judge)
