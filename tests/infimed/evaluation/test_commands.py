"""`packkit eval` from the command line: what it prints, writes and ends with."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from benchmark_folders import write_benchmark
from loopback_server import failure, reply, serving, user_text
from typer.testing import CliRunner

from packkit.base.errors import InputError
from packkit.cli.main import app
from packkit.infimed.chat import AccessError, AnswerLog
from packkit.infimed.evaluation.benchmarks import BENCHMARKS, TITLES, read_benchmark
from packkit.infimed.evaluation.question_prompt import prompt_for


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    return {name: write_benchmark(name, folder / name) for name in BENCHMARKS}


@pytest.fixture(scope="module")
def golds(benchmarks):
    """Prompt -> the gold answers of the questions that it asks."""
    answers = {}
    for name, path in benchmarks.items():
        for question in read_benchmark(name, path):
            answers.setdefault(prompt_for(question), set()).add(question.gold)
    return answers


def invoke(*words):
    environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": ""}
    return CliRunner().invoke(app, ["eval", *map(str, words)], env=environment)


@pytest.fixture(scope="module")
def results(benchmarks, golds, tmp_path_factory):
    """Answers of a model that knows all, and of one that says yes, scored by strict rules."""
    folder = tmp_path_factory.mktemp("results")
    named = [f"--benchmark={name}={path}" for name, path in benchmarks.items()]

    def script(request):
        knows = request["model"] == "knows"
        return reply(sorted(golds[user_text(request)])[0] if knows else "Yes")

    with serving(script) as server:
        for model in ("knows", "yes"):
            out = folder / model
            done = invoke("run", model, *named, "--out", out, "--base-url", server.url)
            assert done.exit_code == 0, done.output
            assert "answers/s" in done.output
    for model in ("knows", "yes"):
        done = invoke("score", folder / model)
        assert done.exit_code == 0, done.output
    return folder


def test_scores_have_every_benchmark_and_the_average(results):
    done = invoke("score", results / "yes", "--json")
    scores = json.loads(done.stdout)
    assert list(scores["benchmarks"]) == list(BENCHMARKS)
    assert scores["missing"] == []
    accuracies = [tallies["total"]["accuracy"] for tallies in scores["benchmarks"].values()]
    assert scores["average"] == pytest.approx(sum(accuracies) / len(BENCHMARKS))
    assert 0 < scores["average"] < 0.5
    shown = invoke("score", results / "yes")
    assert f"average over the benchmarks: {100 * scores['average']:.1f}" in shown.output


def test_a_table_is_printed_and_written(results, tmp_path):
    files = [tmp_path / name for name in ("t.md", "t.csv", "t.png")]
    names = (f"A={results / 'knows'}", results / "yes")
    done = invoke("table", *names, "--markdown", files[0], "--csv", files[1], "--png", files[2])
    assert done.exit_code == 0, done.output
    assert all(title in done.output for title in TITLES.values())
    assert files[0].read_text().count("| A ") > len(BENCHMARKS)
    rows = list(csv.DictReader(files[1].read_text().splitlines()))
    assert {row["label"] for row in rows} == {"A", "yes"}
    assert {(row["scorer"], row["judge"]) for row in rows} == {("strict", "")}
    assert files[2].read_bytes().startswith(b"\x89PNG")


def test_the_better_model_beats_the_other(results):
    done = invoke("compare", results / "knows", results / "yes", "--json")
    average = json.loads(done.stdout)["average"]
    assert average["a_beats_b"] == 1
    assert average["difference"] > 0.5
    shown = invoke("compare", results / "knows", results / "yes")
    assert "P(A beats B)" in shown.output and "1.000" in shown.output


def test_a_page_of_cases_is_written(results, tmp_path):
    page = tmp_path / "cases.html"
    names = (results / "knows", results / "yes")
    done = invoke("cases", *names, "--who", "a", "--benchmark", "slake", "--out", page)
    assert done.exit_code == 0, done.output
    assert page.read_text().count("data:image/") > 0
    report = json.loads(invoke("cases", *names, "--sample", 1, "--out", page, "--json").stdout)
    assert list(report) == ["out", "bytes", "cases", "found"]
    assert sum(report["cases"].values()) == 1 < sum(report["found"].values())


def test_a_run_with_open_questions_ends_with_1_and_is_not_scored(benchmarks, tmp_path):
    named = f"--benchmark=slake={benchmarks['slake']}"
    script = iter([reply("yes"), *[failure(400, "bad")] * 99])
    with serving(lambda request: next(script)) as server:
        words = ("run", "m", named, "--out", tmp_path / "out", "--base-url", server.url)
        done = invoke(*words, "--concurrency", 1)
    assert done.exit_code == 1
    assert "the same command asks for them again" in done.output
    scored = invoke("score", tmp_path / "out")
    assert scored.exit_code == 1
    assert "have no answer" in str(scored.exception)


@pytest.mark.parametrize("answers", ["echoed", "refused"])
def test_credentials_are_neither_printed_nor_written(benchmarks, tmp_path, answers):
    secrets = ("hunter2", "sk-0123456789abcdef", "t0ken-in-query")
    echo = "I was sent " + ", ".join(secrets)
    script = {
        "echoed": iter([reply(echo), *[failure(400, f"{echo} \x1b[31m")] * 99]),
        "refused": iter([failure(401, echo)] * 99),
    }[answers]
    named = f"--benchmark=slake={benchmarks['slake']}"
    with serving(lambda request: next(script)) as server:
        url = server.url.replace("://", f"://me:{secrets[0]}@") + f"?key={secrets[2]}"
        words = ["run", "m", named, "--out", tmp_path / "out", "--base-url", url]
        done = subprocess.run(
            [sys.executable, "-m", "packkit", "eval", *map(str, words), "--concurrency", "1"],
            env={**os.environ, "OPENAI_API_KEY": secrets[1]}, capture_output=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    kept = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    told = b"".join([done.stdout, done.stderr, *kept])
    assert not [secret for secret in secrets if secret.encode() in told]
    assert b"\x1b" not in done.stdout + done.stderr and b"Traceback" not in done.stderr
    # A refusal at the first request is said, and kept of no question.
    assert b"[hidden]" in (done.stderr if answers == "refused" else b"".join(kept))


def test_a_failing_judge_ends_with_1(results):
    with serving(lambda request: reply("perhaps")) as server:
        done = invoke("score", results / "yes", "--judge", "j", "--base-url", server.url)
    assert done.exit_code == 1
    assert "the judge gave no verdict on" in str(done.exception)


@pytest.fixture
def copies(results, tmp_path):
    """Results that a test may score anew."""
    return shutil.copytree(results, tmp_path / "copies")


def test_options_of_score_reach_it(copies):
    words = ("score", copies / "yes", "--scorer", "medevalkit", "--seed", 3)
    assert "verdicts come from likeness or chance" in invoke(*words).output
    scores = json.loads(invoke(*words, "--json").stdout)
    assert (scores["scorer"], scores["seed"]) == ("medevalkit", 3)
    with serving(lambda request: reply("perhaps")) as server:
        asked = ("score", copies / "yes", "--judge", "j", "--base-url", server.url)
        limited = invoke(*asked, "--max-requests", 1, "--concurrency", 1)
        assert "max_requests = 1 left answers" in str(limited.exception)
        done = invoke(*asked, "--max-judge-failures", 1)
    assert done.exit_code == 0, done.output


def test_a_judge_that_gives_no_verdict_is_quoted(copies):
    with serving(lambda request: reply("a \x1b[31m\npoem")) as server:
        done = invoke("score", copies / "yes", "--judge", "poet", "--base-url", server.url)
    assert done.exit_code == 1
    assert "; the reply begins: a \x1b[31m poem. Score again" in str(done.exception)


@pytest.mark.parametrize("command", ["run", "score"])
def test_a_wrong_endpoint_is_told_at_once(benchmarks, copies, tmp_path, command):
    words = {
        "run": ("run", "typo", f"--benchmark=slake={benchmarks['slake']}", "--out", tmp_path / "o"),
        "score": ("score", copies / "yes", "--judge", "typo"),
    }[command]
    with serving(lambda request: failure(404, "no such model")) as server:
        pass
    for address in ("localhost:8932/v1", ""):
        start = time.monotonic()
        done = invoke(*words, "--base-url", address)
        assert isinstance(done.exception, InputError) and time.monotonic() - start < 2
        assert "base_url must be like http://" in str(done.exception)
    start = time.monotonic()
    done = invoke(*words, "--base-url", server.url)
    assert isinstance(done.exception, AccessError) and time.monotonic() - start < 2
    assert f"model typo at {server.url}: no connection: nothing listens" in str(done.exception)
    with serving(lambda request: failure(400, "no such model")) as server:
        start = time.monotonic()
        done = invoke(*words, "--base-url", server.url)
        assert isinstance(done.exception, AccessError) and time.monotonic() - start < 2
    assert "no model of this name" in str(done.exception) and len(server.log) == 1
    # No question is said to have failed, and the next model finds the folder as it was.
    kept = tmp_path / "o" / "answers.jsonl" if command == "run" else copies / "yes/judgements.jsonl"
    assert "typo" not in kept.read_text()


def test_options_of_compare_reach_it(copies):
    for name in ("knows", "yes"):
        invoke("score", copies / name, "--scorer", "medevalkit")
    words = ("compare", copies / "knows", copies / "yes")
    done = invoke(*words, "--scoring", "medevalkit", "--seed", 5, "--samples", 7, "--json")
    comparison = json.loads(done.stdout)
    assert (comparison["seed"], comparison["samples"]) == (5, 7)
    assert comparison["method"]["scorer"] == "medevalkit"
    assert "scoring must name one of medevalkit, strict" in str(invoke(*words).exception)


def test_cases_look_where_a_benchmark_stands_now(results, tmp_path):
    words = ("cases", results / "knows", results / "yes", "--out", tmp_path / "cases.html")
    done = invoke(*words, "--benchmark", f"slake={tmp_path / 'nowhere'}")
    assert done.exit_code == 1
    assert "nowhere" in str(done.exception)


def test_a_run_keeps_its_limit_and_says_what_is_missing(benchmarks, tmp_path):
    words = ("run", "m", f"--benchmark=slake={benchmarks['slake']}", "--out", tmp_path / "out")
    with serving(lambda request: reply("yes")) as server:
        invoke(*words, "--base-url", server.url, "--max-new-tokens", 77)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["max_new_tokens"] == 77
    assert "no average: mmmu, vqa-rad," in invoke("score", tmp_path / "out").output


def test_a_second_run_into_a_folder_is_told_who_is_there(benchmarks, tmp_path):
    name, path = next(iter(benchmarks.items()))
    words = ["eval", "run", "m", f"--benchmark={name}={path}", "--out", tmp_path / "out"]
    with serving(lambda request: reply("Yes")) as server:
        words += ["--base-url", server.url]
        with AnswerLog(tmp_path / "out" / "answers.jsonl", ["benchmark", "question"]):
            command = [sys.executable, "-m", "packkit", *map(str, words)]
            environment = {**os.environ, "OPENAI_API_KEY": "k"}
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            assert (done.returncode, done.stdout, server.log) == (1, "", [])
            (line,) = done.stderr.splitlines()
            assert line.endswith(
                f"answers.jsonl: process {os.getpid()} holds the lock of its lines"
            )
        assert invoke(*words[1:]).exit_code == 0
