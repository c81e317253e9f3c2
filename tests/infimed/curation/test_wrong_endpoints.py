"""`packkit assess run` with an address, model or judge that cannot be meant: told at once."""

import json
import time

import pytest
from assess_commands import invoke, packkit, packkit_assess
from loopback_server import failure, reply, serving
from typer.testing import CliRunner

from packkit.base.errors import InputError
from packkit.cli.main import app
from packkit.infimed.chat import AccessError


def told_at_once(result, code):
    """The one line in which a run says what ended it."""
    assert result.returncode == code
    (line,) = result.stderr.strip().splitlines()
    return line


def test_a_mistyped_address_is_told_at_once(tmp_path, cases):
    cases(tmp_path / "a.jsonl", range(50))
    with serving(lambda request: failure(500)) as server:
        pass
    start = time.monotonic()
    result = packkit(tmp_path, server, "a.jsonl", "--base-url", "localhost:8932/v1")
    # The second of a process's start is not the address's.
    assert time.monotonic() - start < 4
    assert told_at_once(result, 2) == (
        "packkit: base_url must be like http://localhost:8000/v1, got 'localhost:8932/v1': write "
        "http://localhost:8932/v1, or https://localhost:8932/v1 (--base-url)"
    )
    start = time.monotonic()
    refused = packkit(tmp_path, server, "a.jsonl")
    assert time.monotonic() - start < 4
    assert told_at_once(refused, 1).startswith(
        f"packkit: model m at {server.url}: no connection: nothing listens there"
    )


@pytest.mark.parametrize("address", ["", " ", "127.0.0.1:8000", "ftp://h/v1", "http://", "h h"])
def test_what_is_no_address_ends_with_a_usage_error(tmp_path, monkeypatch, cases, address):
    cases(tmp_path / "a.jsonl", range(2))
    monkeypatch.chdir(tmp_path)
    for words, variable, origin in (
        (["--base-url", address], "http://127.0.0.1:9/v1", "base_url"),
        ([], address, "OPENAI_BASE_URL"),
    ):
        settings = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": variable}
        command = ["assess", "run", "a.jsonl", "--judge", "m", *words]
        result = CliRunner().invoke(app, command, env=settings)
        assert isinstance(result.exception, InputError)
        assert str(result.exception).startswith(f"{origin} must be like http://localhost:8000/v1, ")
    assert not (tmp_path / "scores.jsonl").exists()


@pytest.mark.parametrize("status", [400, 404])
def test_a_mistyped_judge_leaves_no_trace(tmp_path, monkeypatch, cases, grade, status):
    cases(tmp_path / "a.jsonl", range(6))
    scores = grade()

    def script(request):
        if request["model"] == "typo":
            return failure(status, "The model `typo` does not exist.")
        return scores(request)

    with serving(script) as server:
        start = time.monotonic()
        wrong = invoke(tmp_path, server, monkeypatch, "a.jsonl", "--judge", "typo")
        assert time.monotonic() - start < 2
        assert isinstance(wrong.exception, AccessError) and len(server.log) == 1
        right = invoke(tmp_path, server, monkeypatch, "a.jsonl", "--json", "--judge", "m")
        assert right.exit_code == 0
    assert json.loads(right.stdout)["total"]["attempts"] == len(server.log) - 1 == 6
    report = json.loads(packkit_assess("report", tmp_path / "scores.jsonl", "--json").stdout)
    assert (report["model"], report["data_sets"][0]["states"]) == ("m", {"ok": 6})


def test_a_judge_whose_replies_give_no_score_ends_with_1(tmp_path, monkeypatch, cases):
    cases(tmp_path / "a.jsonl", range(10))
    with serving(lambda request: reply("I am \x1b[31ma\npoem")) as server:
        result = invoke(tmp_path, server, monkeypatch, "a.jsonl")
        as_json = invoke(tmp_path, server, monkeypatch, "a.jsonl", "--json")
    assert (result.exit_code, as_json.exit_code) == (1, 1)
    assert "without scores, for example: parse_error: " in result.stdout
    assert "; the reply begins: I am \\x1b[31ma poem\n" in result.stdout
    assert "not one sample has scores" in result.stdout and "\x1b" not in result.stdout
    report = json.loads(as_json.stdout)
    assert report["data_sets"][0]["states"] == {"parse_error": 10}
    assert report["example"].endswith("the reply begins: I am \x1b[31ma poem")


def test_some_replies_without_scores_are_quoted(tmp_path, monkeypatch, cases, grade):
    cases(tmp_path / "a.jsonl", range(6))
    with serving(grade({3: [reply("a poem")] * 3})) as server:
        result = invoke(tmp_path, server, monkeypatch, "a.jsonl")
    assert result.exit_code == 0
    assert "the reply begins: a poem" in result.stdout
