"""The ablation of finetuning stages, on the demo, with models of a few weights, on a CPU.

    make ablation

trains a tiny model by recipes/pretrain.toml, and from it four by recipes/sft-*.toml: with the first
stage alone, the first and the second, the first and the third, and all three. The recipes are
changed only where the size of model and data requires it (`SMALL`, `TINY`). The mixtures in this
folder say what each stage is trained on. Each model answers the demo's benchmarks; OUT gets

    packs/, runs/, results/     of every stage and every model
    table.md, table.csv, table.png

The same command goes on with what is not done yet. The figures only show that all parts fit
together: a model this small, trained on so little, knows next to nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from packkit.infimed.cli.evaluation_printing import show_results
from packkit.infimed.evaluation import (
    BENCHMARKS,
    Results,
    ScoreConfig,
    Table,
    open_all,
    open_answerer,
    plot_table,
    run_benchmarks,
    score,
)
from packkit.mixture import build_mixture, read_mixture, resolve_mixture
from packkit.training import read_recipe, train

HERE = Path(__file__).parent
RECIPES = HERE.parents[1] / "recipes"

STAGES = {"1": "sft-1-general", "2": "sft-2-medical", "3": "sft-3-cross-distribution"}
ROWS = ("1", "1+2", "1+3", "1+2+3")

# Keys that a tiny model and the demo require to change; all others are those of the recipes.
EPOCHS = {"pretrain": 12, "sft-1-general": 1, "sft-2-medical": 1, "sft-3-cross-distribution": 5}
SMALL = {
    "run.precision": "fp32",
    "data.packs_per_step": 4,
    "data.threads": 1,
    "data.balance": "false",
    "model.activation_checkpointing": "false",
    "optimizer.lr": 4e-3,
}
TINY = {
    "model.weights": "random",
    "model.image_tokens": 36,
    "model.language": "{vocab_size = 4096, hidden_size = 64, intermediate_size = 192, "
    "num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 2, head_dim = 16, "
    "tie_word_embeddings = true}",
    "model.vision": "{hidden_size = 32, intermediate_size = 64, num_hidden_layers = 2, "
    "num_attention_heads = 2, image_size = 168, patch_size = 14}",
}


def make_packs(stage: str, demo: Path, out: Path) -> Path:
    """Packs the training data of a stage, unless that is done."""
    packs = out / "packs" / stage
    if not (packs / "manifest.json").exists():
        packs.parent.mkdir(parents=True, exist_ok=True)
        lock = resolve_mixture(
            read_mixture(HERE / f"{stage}.toml"), packs.with_suffix(".lock.json"), data=demo
        )
        build_mixture(lock, packs, data=demo)
    return packs


def run_stage(stage: str, packs: Path, run: Path, changes: dict[str, object]) -> Path:
    """Trains by a recipe; a run that is complete is left as it is."""
    paths = {"run.out": run, "data.packs": packs}
    changed = {**SMALL, "data.epochs": EPOCHS[stage], **paths, **changes}
    sets = [f"{key}={value}" for key, value in changed.items()]
    train(read_recipe(RECIPES / f"{stage}.toml", sets))
    return run


def train_all(demo: Path, out: Path) -> dict[str, Path]:
    """Trains every model; returns the run of each row of the table."""
    packs = {name: make_packs(name, demo, out) for name in ("pretrain", *STAGES.values())}
    runs = out / "runs"
    done = {"": run_stage("pretrain", packs["pretrain"], runs / "pretrain", TINY)}
    for row in ROWS:
        before, _, stage = row.rpartition("+")
        name = STAGES[stage]
        weights = {"model.weights": done[before], "model.image_tokens": 144}
        done[row] = run_stage(name, packs[name], runs / row, weights)
    return {row: done[row] for row in ROWS}


def evaluate(run: Path, benchmarks: Path, folder: Path) -> None:
    """Has a model answer every benchmark, and scores its answers."""
    answerer = open_answerer(str(run), max_new_tokens=32, batch_size=16)
    report = run_benchmarks(answerer, {name: benchmarks / name for name in BENCHMARKS}, folder)
    print(f"{folder}: {report.answers} answers, {report.answers_per_second:.1f} a second")
    score(Results(folder), ScoreConfig(scorer="strict"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and compare stages of finetuning.")
    parser.add_argument("out", nargs="?", type=Path, default=Path("demo/ablation"))
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="what make demo wrote")
    arguments = parser.parse_args()
    results = {}
    for row, run in train_all(arguments.demo, arguments.out).items():
        results[row] = arguments.out / "results" / row
        evaluate(run, arguments.demo / "benchmarks", results[row])
    table = Table(open_all(f"{row}={folder}" for row, folder in results.items()))
    (arguments.out / "table.md").write_text(table.to_markdown(), encoding="utf-8")
    (arguments.out / "table.csv").write_text(table.to_csv(), encoding="utf-8")
    plot_table(table, arguments.out / "table.png")
    show_results(table)


if __name__ == "__main__":
    main()
