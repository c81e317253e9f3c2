"""Benchmarks: each says at once how it is run, and writes rows of one schema."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SCRIPTS = [path for path in sorted(BENCH.glob("*.py")) if "__main__" in path.read_text()]
ROWS = sorted((BENCH / "results").glob("*.jsonl"))
HEAVY = {"numba", "numpy", "packkit", "pyarrow", "torch", "transformers", "triton"}
KEYS = {
    *("bench", "name", "variant", "metric", "unit", "value", "p20", "p80", "rounds"),
    *("parameters", "machine", "versions", "commit", "date"),
}

# Runs a script that ends itself, and says what it had loaded by then.
HELP = """
import runpy, sys
sys.argv = [sys.argv[1], "--help"]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("loaded:", *sys.modules)
"""


def check_row(row):
    """Fails unless a row has the schema."""
    assert row.keys() == KEYS
    texts = row["bench"], row["name"], row["variant"], row["metric"], row["unit"], row["date"]
    assert all(isinstance(text, str) for text in texts)
    assert isinstance(row["value"], int | float)
    assert row["rounds"] >= 1
    assert (row["p20"] is None) == (row["p80"] is None)
    assert row["p20"] is None or row["p20"] <= row["value"] <= row["p80"]
    assert row["machine"].keys() == {"cpu", "cores", "gpu", "driver"}
    assert "python" in row["versions"]


def run(script, *arguments):
    command = [sys.executable, BENCH / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_help_answers_at_once_and_measures_nothing(script, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", HELP, script], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    shown, _, loaded = result.stdout.partition("loaded:")
    assert {"--help", "--json", "--commit"} <= set(shown.replace(",", " ").split())
    # A limit in seconds would test the machine: what is loaded is what takes the time.
    assert not HEAVY & set(loaded.split())
    assert list(tmp_path.iterdir()) == []


def test_benchmarks_are_found():
    assert {"gpu_varlen.py", "planning_scale.py"} <= {path.name for path in SCRIPTS}


def test_a_run_appends_rows_of_the_schema(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    for _ in range(2):
        result = run("planning_scale.py", "--samples", 500, 1000, "--rounds", 4, "--json", path)
        assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 2 * 5
    for row in rows:
        check_row(row)
        assert row["bench"] == "planning_scale"
        assert row["versions"].keys() >= {"numba", "numpy"}
    times = [row for row in rows[:5] if row["metric"] == "time"]
    assert [row["rounds"] for row in times] == [4] * 3
    assert [row["parameters"]["samples"] for row in times] == [500, 1000, 500]
    assert all(row["p20"] is not None for row in times)
    assert "plan_packs" in result.stdout


def test_commit_can_be_named_where_git_is_not_there(tmp_path):
    path = tmp_path / "rows.jsonl"
    options = "--rounds", 1, "--json", path, "--commit", "0123abc"
    result = run("planning_scale.py", "--samples", 100, *options)
    assert result.returncode == 0, result.stderr
    row = json.loads(path.read_text().splitlines()[0])
    assert (row["commit"], row["rounds"], row["p20"]) == ("0123abc", 1, None)


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.name)
def test_rows_that_are_kept_have_the_schema(path):
    assert path.stem in {script.stem for script in SCRIPTS}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        check_row(row)
        assert row["bench"] == path.stem
        assert row["commit"] is not None
