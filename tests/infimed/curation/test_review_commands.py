"""`packkit assess report` and `packkit assess sheet` as a person or a script uses them."""

import json

import pytest
from packing_inputs import caption, write_lines
from review_inputs import assessment, rating
from typer.testing import CliRunner

from packkit.base.errors import InputError
from packkit.cli.main import app

RULES = """
version = 1
name = "mine"
min_samples = 5
min_coverage = 0.5
thresholds = [{ criterion = "overall", measure = "mean", at_least = 3 }]
exclusions = [{ data_set = "b", reason = "[bold] no reason" }]
"""


def packkit_assess(*arguments):
    command = ["assess", *map(str, arguments)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, command, catch_exceptions=False)


@pytest.fixture
def folder(tmp_path):
    """A folder with scores of two data sets, rules, and ratings of two people."""
    lines = [assessment(n, "a", 3 + n % 3) for n in range(10)]
    lines += [assessment(n, "b", state="ok" if n % 2 else "refused") for n in range(20, 30)]
    write_lines(tmp_path / "scores.jsonl", [one.to_dict() for one in lines])
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
    assert [one["decision"] for one in report["verdicts"]] == ["keep", "drop"]
    assert report["data_sets"][0]["scores"]["overall"]["histogram"] == [0, 0, 4, 3, 3]
    assert report["data_sets"][1]["states"] == {"ok": 5, "refused": 5}
    assert [(one["first"], one["second"]) for one in report["agreements"]] == [
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
    assert {one["decision"] for one in report["verdicts"]} == {"undecided"}


def test_wrong_rules_are_an_error(folder):
    (folder / "rules.toml").write_text("version = 2")
    with pytest.raises(InputError, match=r"rules\.toml: version must be 1"):
        packkit_assess("report", folder / "scores.jsonl", "--rules", folder / "rules.toml")


def test_sheet_says_what_it_holds(tmp_path):
    data = write_lines(tmp_path / "x.jsonl", [caption(n) for n in range(9)])
    arguments = ("sheet", f"some={data}", "--sample", 4, "--out", tmp_path / "sheet.html")
    made = json.loads(packkit_assess(*arguments, "--json").stdout)
    assert (made["samples"], made["drawn"], made["unreadable"]) == (4, {"some": 4}, {"some": 0})
    assert made["sheet"] in (tmp_path / "sheet.html").read_text("utf-8")
    shown = packkit_assess(*arguments).stdout
    assert made["sheet"] in shown and "needs no network" in shown
