"""A run asks every question once, keeps every answer at once, and goes on after any kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import orjson
import pytest
from benchmark_folders import write_benchmark
from loopback_server import failure, reply, serving, user_text

from packkit.base.append_log import log_line, read_log
from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.answering.endpoint import EndpointAnswerer
from packkit.infimed.evaluation.benchmarks import BENCHMARKS, read_benchmark
from packkit.infimed.evaluation.question_prompt import prompt_for
from packkit.infimed.evaluation.questions import Question
from packkit.infimed.evaluation.results import AnswerRecord, Results
from packkit.infimed.evaluation.run import parse_benchmarks, run_benchmarks

CONCURRENCY = 3


class Echo:
    """Answers each question with its own prompt."""

    backend = "packkit"

    def __init__(self, model="echo", max_new_tokens=64, fails=()):
        self.model, self.max_new_tokens, self.fails = model, max_new_tokens, set(fails)
        self.asked = []

    def answer_all(self, requests, keep):
        for request in requests:
            self.asked.append((request.benchmark, request.question))
            name = {"benchmark": request.benchmark, "question": request.question}
            if request.question in self.fails:
                line = {"state": "http_error", "text": "", "error": "lost"}
            else:
                line = {"state": "ok", "text": request.prompt, "error": ""}
            keep(AnswerRecord(**name, **line, tokens=1, is_cut=False))


@pytest.fixture
def folders(tmp_path):
    """The benchmarks, by name."""
    return {name: write_benchmark(name, tmp_path / "data" / name) for name in BENCHMARKS}


def asked_of(folders):
    return [question for name, path in folders.items() for question in read_benchmark(name, path)]


def texts(answers):
    return {key: answer.text for key, answer in answers.items()}


def test_every_question_of_every_benchmark_is_asked_in_its_words(tmp_path, folders):
    seen = []
    report = run_benchmarks(
        Echo(), folders, tmp_path / "out", on_progress=lambda *count: seen.append(count)
    )
    answers = Results(tmp_path / "out").answers()
    questions = asked_of(folders)
    assert texts(answers) == {
        (question.benchmark, question.key): prompt_for(question) for question in questions
    }
    assert seen == [(number + 1, len(questions)) for number in range(len(questions))]
    answered = {name: benchmark.answered for name, benchmark in report.benchmarks.items()}
    assert answered == Counter(question.benchmark for question in questions)
    assert report.answers == len(questions)
    assert report.answers_per_second > 0


def test_questions_in_the_folder_are_those_that_were_asked(tmp_path, folders):
    run_benchmarks(Echo(), folders, tmp_path / "out")
    for name, path in folders.items():
        kept = Results(tmp_path / "out").questions(name)
        asked = read_benchmark(name, path)
        assert list(map(Question.to_dict, kept)) == list(map(Question.to_dict, asked))


def test_only_what_failed_is_asked_again(tmp_path, folders):
    slake = {"slake": folders["slake"]}
    keys = [question.key for question in read_benchmark("slake", folders["slake"])]
    first = run_benchmarks(Echo(fails=keys[:2]), slake, tmp_path / "out")
    assert (first.failed, first.answers) == (2, len(keys) - 2)
    again = Echo()
    second = run_benchmarks(again, slake, tmp_path / "out")
    assert again.asked == [("slake", key) for key in keys[:2]]
    assert (second.failed, second.answers) == (0, 2)
    assert run_benchmarks(Echo(), slake, tmp_path / "out").answers == 0


def test_another_benchmark_is_added(tmp_path, folders):
    names = ["slake", "pmc-vqa"]
    for name in names:
        run_benchmarks(Echo(), {name: folders[name]}, tmp_path / "out")
    assert list(Results(tmp_path / "out").settings().benchmarks) == names


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Echo(model="other"), "holds answers of model echo, not other"),
        (Echo(max_new_tokens=65), "holds answers of max_new_tokens 64, not 65"),
    ],
)
def test_a_folder_mixes_no_models(tmp_path, folders, other, message):
    slake = {"slake": folders["slake"]}
    run_benchmarks(Echo(), slake, tmp_path / "out")
    with pytest.raises(InputError, match=message):
        run_benchmarks(other, slake, tmp_path / "out")
    assert other.asked == []


def test_a_folder_mixes_no_questions(tmp_path, folders):
    slake = {"slake": folders["slake"]}
    run_benchmarks(Echo(), slake, tmp_path / "out")
    path = folders["slake"] / "test.json"
    path.write_text(path.read_text().replace("?", "??"))
    with pytest.raises(InputError, match="holds answers to other questions of slake"):
        run_benchmarks(Echo(), slake, tmp_path / "out")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b'"state":"ok"', b'"state":"fine"', "state must be one of"),
        (b'"text":"', b'"text":5,"x":"', "unexpected keyword argument 'x'"),
        (b'"tokens":1', b'"tokens":"1"', "tokens is '1'"),
        (b'"is_cut":false', b'"is_cut":0', "is_cut is 0"),
    ],
)
def test_lines_that_are_no_answers_are_seen(tmp_path, folders, before, after, message):
    slake = {"slake": folders["slake"]}
    run_benchmarks(Echo(), slake, tmp_path / "out")
    path = tmp_path / "out" / "answers.jsonl"
    records = [record for _, record in read_log(path, ["benchmark"])]
    changed = orjson.loads(orjson.dumps(records).replace(before, after, 1))
    path.write_bytes(b"".join(map(log_line, changed)))
    with pytest.raises(FormatError, match=f"no line of an answer: .*{message}"):
        run_benchmarks(Echo(), slake, tmp_path / "out")


def test_answers_without_settings_are_not_taken_over(tmp_path, folders):
    slake = {"slake": folders["slake"]}
    run_benchmarks(Echo(), slake, tmp_path / "out")
    (tmp_path / "out" / "run.json").unlink()
    with pytest.raises(InputError, match=r"run\.json is missing"):
        run_benchmarks(Echo(), slake, tmp_path / "out")


def test_a_model_that_answered_nothing_leaves_the_folder_free(tmp_path, folders):
    slake = {"slake": folders["slake"]}
    keys = [question.key for question in read_benchmark("slake", folders["slake"])]
    run_benchmarks(Echo(model="typo", fails=keys), slake, tmp_path / "out")
    run_benchmarks(Echo(), slake, tmp_path / "out")
    assert Results(tmp_path / "out").settings().model == "echo"


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["slake"], "must be NAME=PATH, got 'slake'"),
        (["slake={}", "slake={}"], "slake is named twice"),
        (["slake=nowhere"], "nowhere is no file, and holds no"),
        (["medqa={}"], "no benchmark 'medqa'; there are mmmu"),
    ],
)
def test_names_of_benchmarks_that_make_no_sense_are_refused(folders, specs, message):
    with pytest.raises(InputError, match=message):
        parse_benchmarks(spec.format(folders["slake"]) for spec in specs)


def start(folder, server, benchmarks):
    """A process that asks the server; its own temporary folder, no key but this one."""
    words = [sys.executable, "-m", "packkit", "eval", "run", "m", "--base-url", server.url]
    words += ["--out", "out", "--concurrency", str(CONCURRENCY), "--json"]
    words += [f"--benchmark={name}={path}" for name, path in benchmarks.items()]
    environment = {name: os.environ[name] for name in os.environ if "OPENAI" not in name}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=folder, env={**environment, "OPENAI_API_KEY": "k"}, **pipes)


def test_killed_again_and_again_it_asks_nothing_twice(tmp_path, folders):
    """What was asked twice is at most what was on its way at a kill."""
    benchmarks = {name: folders[name] for name in ("mmmu", "slake", "medxpertqa")}
    rng, kills, failed = random.Random(0), 2, set()

    def script(request):
        text = user_text(request)
        if len(text) % 5 == 0 and text not in failed:
            failed.add(text)
            return failure(500)
        return reply(f"to: {text}", delay=0.05)

    with serving(script) as server:
        for _ in range(kills):
            process = start(tmp_path, server, benchmarks)
            goal = len(server.log) + rng.randint(4, 9)
            while len(server.log) < goal:
                assert process.poll() is None, process.communicate()
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process = start(tmp_path, server, benchmarks)
        out, err = process.communicate(timeout=120)
        server.settle()
    assert process.returncode == 0, err
    questions = asked_of(benchmarks)
    answers = Results(tmp_path / "out").answers()
    assert texts(answers) == {
        (question.benchmark, question.key): f"to: {prompt_for(question)}" for question in questions
    }
    # Images go with the questions that they belong to.
    for entry in server.log:
        parts = entry.request["messages"][0]["content"]
        images = sum(part["type"] == "image_url" for part in parts)
        prompt = user_text(entry.request)
        asked = [question for question in questions if prompt_for(question) == prompt]
        assert images in {len(question.images) for question in asked}
    assert len(server.replies) - len(questions) <= kills * CONCURRENCY
    report = json.loads(out)
    assert report["failed"] == 0
    assert report["answers"] < len(questions)


def test_ctrl_c_keeps_what_is_answered_and_says_how_to_go_on(tmp_path, folders):
    with serving(lambda request: reply("yes", delay=0.1)) as server:
        process = start(tmp_path, server, {"slake": folders["slake"]})
        while len(server.log) < 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("packkit: interrupted; the same command")
    assert Results(tmp_path / "out").answers()


def test_an_endpoint_that_fails_leaves_questions_open(tmp_path, folders, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    slake = {"slake": folders["slake"]}
    first = read_benchmark("slake", folders["slake"])[0]

    def script(request):
        return failure(400, "bad") if user_text(request) == prompt_for(first) else reply("yes")

    with serving(script) as server:
        asked = EndpointAnswerer("m", base_url=server.url, max_new_tokens=8, concurrency=2)
        report = run_benchmarks(asked, slake, tmp_path / "out")
    assert report.failed == 1
    answer = Results(tmp_path / "out").answers()["slake", first.key]
    assert (answer.state, answer.is_final) == ("http_error", False)
    assert "bad" in answer.error


def test_progress_goes_on_where_it_stood(tmp_path, folders):
    slake, seen = {"slake": folders["slake"]}, []
    keys = [question.key for question in read_benchmark("slake", folders["slake"])]
    run_benchmarks(Echo(fails=keys[:2]), slake, tmp_path / "out")
    run_benchmarks(Echo(), slake, tmp_path / "out", on_progress=lambda *count: seen.append(count))
    assert seen == [(len(keys) - 1, len(keys)), (len(keys), len(keys))]


def test_refused_and_cut_answers_and_torn_lines_are_reported(tmp_path, folders):
    slake, path = {"slake": folders["slake"]}, tmp_path / "out" / "answers.jsonl"
    run_benchmarks(Echo(), slake, tmp_path / "out")
    first, second, *rest = [record for _, record in read_log(path, ["benchmark"])]
    first |= {"state": "refused", "text": "", "error": "no"}
    lines = [first, {**second, "is_cut": True}, *rest]
    path.write_bytes(b"".join(map(log_line, lines)) + b'{"benchmark":"sl')
    report = run_benchmarks(Echo(), slake, tmp_path / "out")
    slake_report = report.benchmarks["slake"]
    assert (slake_report.answered, slake_report.refused, slake_report.cut) == (len(lines), 1, 1)
    assert report.torn_bytes == 16


@pytest.mark.parametrize("name", ["backend", "prompt_version"])
def test_a_folder_mixes_no_backends_or_prompts(tmp_path, folders, monkeypatch, name):
    slake = {"slake": folders["slake"]}
    run_benchmarks(Echo(), slake, tmp_path / "out")
    monkeypatch.setattr(Echo, "backend", "other" if name == "backend" else Echo.backend)
    if name == "prompt_version":
        monkeypatch.setattr("packkit.infimed.evaluation.run.PROMPT_VERSION", "other")
    with pytest.raises(InputError, match=f"holds answers of {name} .*, not other"):
        run_benchmarks(Echo(), slake, tmp_path / "out")
