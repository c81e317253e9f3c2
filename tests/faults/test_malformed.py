"""Malformed inputs of every container and layout: exact counts and reasons, or a message."""

import json
import shutil

import pytest
from malformed_archives import CASES as ARCHIVES
from malformed_lines import CASES as LINES
from malformed_tables import CASES as TABLES

CASES = [*LINES, *TABLES, *ARCHIVES]


def test_there_are_cases_enough_and_none_twice():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_input(workshop, server, case):
    desk = workshop.desk
    shutil.rmtree(desk, ignore_errors=True)
    for name, data in case.files.items():
        path = desk / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    shutil.copy(workshop.plain / "tokenizer.json", desk)
    words = ["pack", f"in/{next(iter(case.files))}", "--out", "out", "--workers", "1"]
    words += ["--tokenizer", "tokenizer.json", "--image-tokens", "4", "--max-len", "512"]
    words += ["--max-reject-rate", "1", *case.options]
    outcome = server.run("command", words=words, folder=str(desk))
    assert outcome.code == 0, outcome.errors
    if case.error is not None:
        assert outcome.result["code"] == case.code, outcome.errors
        (message,) = filter(str.strip, outcome.errors.splitlines())
        assert case.error in message
        assert not (desk / "out" / "manifest.json").exists()
        return
    assert outcome.result["code"] == 0, outcome.errors
    manifest = json.loads((desk / "out" / "manifest.json").read_bytes())
    assert manifest["rejects"] == ({case.reason: 1} if case.reason else {})
    assert manifest["samples_packed"] == case.packed
    assert manifest["samples_read"] == case.packed + bool(case.reason)
