"""The ablation of stages, from nothing to the table: make proof."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.training import read_recipe
from packkit.training.metrics import read_metrics

ROOT = Path(__file__).parents[3]
ROWS = {"1": [1], "1+2": [1, 2], "1+3": [1, 3], "1+2+3": [1, 2, 3]}


@pytest.mark.proof
def test_four_models_come_from_the_recipes_and_stand_in_one_table(tmp_path):
    demo = tmp_path / "demo"
    build = [sys.executable, ROOT / "examples/demo/build.py", demo / "data"]
    build += ["--benchmarks", demo / "benchmarks"]
    small = demo / "small-tokenizer.json"
    subprocess.run([*build, "--small-tokenizer", small], check=True, cwd=tmp_path)
    command = [sys.executable, ROOT / "examples/ablation/ablation.py", "demo/ablation"]
    subprocess.run(command, check=True, cwd=tmp_path)
    out = demo / "ablation"
    rows = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    assert [row["label"] for row in rows[:: len(BENCHMARKS) + 1]] == list(ROWS)
    assert all(row["accuracy"] for row in rows)
    assert (out / "table.png").read_bytes().startswith(b"\x89PNG")
    losses = {
        name: [step["loss"] for step in read_metrics(out / "runs" / name / "metrics.jsonl")]
        for name in ("pretrain", *ROWS)
    }
    for name, curve in losses.items():
        print(f"{name}: {len(curve)} steps, loss {curve[0]:.2f} to {curve[-1]:.2f}")
        assert curve[-1] < curve[0]
    print((out / "table.md").read_text())


def test_every_stage_has_a_shipped_recipe_and_a_mixture():
    for name in ("pretrain", "sft-1-general", "sft-2-medical", "sft-3-cross-distribution"):
        assert (ROOT / "examples" / "ablation" / f"{name}.toml").exists()
        read_recipe(ROOT / "recipes" / f"{name}.toml")
