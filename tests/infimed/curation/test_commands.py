"""`packkit assess` as a person or a script uses it: killed, started again, given a wrong key."""

import itertools
import json
import random
import signal
import time
from dataclasses import replace

import pytest
from assess_commands import CONCURRENCY, invoke, packkit, packkit_assess, start, wait_for
from loopback_server import failure, reply, serving
from packing_inputs import caption, write_lines
from review_inputs import assessment, rating, write_log
from typer.testing import CliRunner

from packkit.base.errors import InputError
from packkit.cli.main import app
from packkit.infimed.curation import read_assessments

RULES = """
version = 1
name = "mine"
min_samples = 5
min_coverage = 0.5
thresholds = [{ criterion = "overall", measure = "mean", at_least = 3 }]
exclusions = [{ data_set = "b", reason = "[bold] no reason" }]
"""


def test_killed_again_and_again_it_pays_nothing_twice(tmp_path, cases, grade, case_number):
    cases(tmp_path / "a.jsonl", range(120))
    once_broken = [reply("no JSON", usage=(50, 5)), failure(500)]
    script = grade(dict.fromkeys(range(0, 120, 9), once_broken), delay=0.03)
    rng, kills = random.Random(0), 3
    arguments = ("a.jsonl", "--price-in", 1, "--price-out", 4, "--json")
    with serving(script) as server:
        for _ in range(kills):
            process = start(tmp_path, server, *arguments)
            wait_for(server, process, len(server.log) + rng.randint(1, 35))
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
        last = packkit(tmp_path, server, *arguments)
        server.settle()
    assert last.returncode == 0, last.stderr
    lines = read_assessments(tmp_path / "scores.jsonl")
    results = {int(line.id.split("/")[1]): line for line in lines}
    assert sorted(results) == list(range(120))
    assert {result.state for result in results.values()} == {"ok"}

    # All that the server did is in the results, but for the requests in flight at a kill.
    asked = {number: [] for number in results}
    for entry in server.log:
        asked[case_number(entry.request)].append(entry.answer.usage)
    lost = sum(len(asked[number]) - result.attempts for number, result in results.items())
    assert 0 <= lost <= kills * CONCURRENCY
    for number, result in results.items():
        noted = (result.prompt_tokens, result.completion_tokens)
        assert noted in [
            tuple(map(sum, zip(*some, strict=True)))
            for some in itertools.combinations(asked[number], result.attempts)
        ]
        assert result.cost == pytest.approx((noted[0] + 4 * noted[1]) / 1e6)
    report = json.loads(last.stdout)
    assert report["total"]["attempts"] == len(server.log) - lost
    assert report["data_sets"][0]["states"] == {"ok": 120}


def test_wrong_key_ends_at_once(tmp_path, cases):
    cases(tmp_path / "a.jsonl", range(50))
    with serving(lambda request: failure(401, "Incorrect API key provided")) as server:
        result = packkit(tmp_path, server, "a.jsonl")
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line == (
        f"packkit: model m at {server.url}: HTTP 401: Incorrect API key provided; "
        "is OPENAI_API_KEY right?"
    )
    assert len(server.log) == 1
    # Nothing was answered or paid, and nothing is said of any sample.
    assert read_assessments(tmp_path / "scores.jsonl") == []


def test_ctrl_c_keeps_what_is_answered(tmp_path, cases, grade):
    cases(tmp_path / "a.jsonl", range(60))
    with serving(grade(delay=0.1)) as server:
        process = start(tmp_path, server, "a.jsonl")
        wait_for(server, process, 10)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        server.settle()
    lines = read_assessments(tmp_path / "scores.jsonl")
    assert sum(line.attempts for line in lines) == len(server.log) < 60


def test_dry_run_sends_nothing(tmp_path, monkeypatch, cases, grade):
    cases(tmp_path / "a.jsonl", range(10))
    arguments = ("set=a.jsonl", "--sample", 5, "--dry-run", "--price-in", 1, "--price-out", 2)
    with serving(grade()) as server:
        result = invoke(tmp_path, server, monkeypatch, *arguments, "--json")
        shown = invoke(tmp_path, server, monkeypatch, *arguments)
        assert server.log == []
    report = json.loads(result.stdout)
    assert (report["samples"], report["requests"]) == ({"set": 5}, 5)
    assert report["cost"] > 0
    assert "samples of set" in shown.stdout and "cost" in shown.stdout
    assert not (tmp_path / "scores.jsonl").exists()


def test_failures_have_exit_code_1_and_are_shown(tmp_path, monkeypatch, cases, grade):
    cases(tmp_path / "a.jsonl", range(6))
    with serving(grade({3: [failure(400, "Invalid image")]})) as server:
        result = invoke(tmp_path, server, monkeypatch, "a.jsonl")
        assert result.exit_code == 1
        assert "1 samples got no reply" in result.stdout
        assert invoke(tmp_path, server, monkeypatch, "a.jsonl").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.jsonl"], "Missing option '--judge'"),
        (["a.jsonl", "--judge", "m"], "OPENAI_API_KEY must be set"),
        (["a.jsonl", "--judge", "m", "--max-cost", "1"], "price_in and price_out"),
        (["a.jsonl", "--judge", "m", "--columns", "image"], "role=field"),
        (["nowhere.jsonl", "--judge", "m", "--dry-run"], "no such file"),
    ],
)
def test_usage_errors(tmp_path, monkeypatch, cases, arguments, words):
    cases(tmp_path / "a.jsonl", range(2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    result = CliRunner().invoke(app, ["assess", "run", *arguments])
    assert result.exit_code == 2 or isinstance(result.exception, InputError)
    assert words in f"{result.output}{result.exception}"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag):
    result = CliRunner().invoke(app, ["assess", flag])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("run", "report", "sheet"))


@pytest.fixture
def folder(tmp_path):
    """A folder with scores of two data sets, rules, and ratings of two people."""
    lines = [assessment(n, "a", 3 + n % 3) for n in range(10)]
    lines += [assessment(n, "b", state="ok" if n % 2 else "refused") for n in range(20, 30)]
    write_log(tmp_path / "scores.jsonl", [line.to_dict() for line in lines])
    (tmp_path / "rules.toml").write_text(RULES)
    for name, score in (("Ada", 3), ("Bo [b]", 5)):
        ratings = [rating(n, min(5, score + n % 2)) for n in range(10)]
        file = {"sheet": "s", "rater": name, "ratings": ratings}
        (tmp_path / f"{name[:2]}.json").write_text(json.dumps(file))
    return tmp_path


def test_report_as_json(folder):
    result = packkit_assess(
        *("report", folder / "scores.jsonl", "--rules", folder / "rules.toml", "--json"),
        *("--ratings", folder / "Ad.json", "--ratings", folder / "Bo.json"),
        *("--png", folder / "report.png"),
    )
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [verdict["decision"] for verdict in report["verdicts"]] == ["keep", "drop"]
    assert report["data_sets"][0]["scores"]["overall"]["histogram"] == [0, 0, 4, 3, 3]
    assert report["data_sets"][1]["states"] == {"ok": 5, "refused": 5}
    assert [(pair["first"], pair["second"]) for pair in report["agreements"]] == [
        ("Ada", "judge"),
        ("Bo [b]", "judge"),
        ("Ada", "Bo [b]"),
    ]
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_report_as_tables(folder):
    result = packkit_assess(
        *("report", folder / "scores.jsonl", "--rules", folder / "rules.toml"),
        *("--ratings", folder / "Ad.json", "--ratings", folder / "Bo.json"),
    )
    shown = " ".join(result.stdout.split())
    assert "drop b: exclusion of b: [bold] no reason" in shown
    assert "overall mean at least 3: 3.9 of 10 samples, holds" in shown
    # Who gives one and the same score to all agrees as chance does.
    assert "│ Bo [b], judge │ accuracy │ 10 │ 0.00 │" in shown
    assert "b: 5 ok, 5 refused" in shown


def test_shipped_rules_hold_where_none_are_named(folder):
    report = json.loads(packkit_assess("report", folder / "scores.jsonl", "--json").stdout)
    assert report["rules"] == "infimed"
    assert {verdict["decision"] for verdict in report["verdicts"]} == {"undecided"}


def test_wrong_rules_are_an_error(folder):
    (folder / "rules.toml").write_text("version = 2")
    with pytest.raises(InputError, match=r"rules\.toml: version must be 1"):
        packkit_assess("report", folder / "scores.jsonl", "--rules", folder / "rules.toml")


def test_sheet_says_what_it_holds(tmp_path):
    data = write_lines(tmp_path / "x.jsonl", [caption(n) for n in range(9)])
    arguments = ("sheet", f"some={data}", "--sample", 4, "--out", tmp_path / "sheet.html")
    report = json.loads(packkit_assess(*arguments, "--json").stdout)
    assert (report["samples"], report["drawn"], report["unreadable"]) == (
        4,
        {"some": 4},
        {"some": 0},
    )
    assert report["sheet"] in (tmp_path / "sheet.html").read_text("utf-8")
    shown = packkit_assess(*arguments).stdout
    assert report["sheet"] in shown and "needs no network" in shown


def test_report_takes_the_judge_that_is_named(tmp_path):
    lines = [replace(assessment(n), model=model) for n, model in enumerate(["other", "judge"])]
    write_log(tmp_path / "scores.jsonl", [line.to_dict() for line in lines])
    report = packkit_assess("report", tmp_path / "scores.jsonl", "--judge", "other", "--json")
    assert json.loads(report.stdout)["model"] == "other"
