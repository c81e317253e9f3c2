"""README.md tells the truth: its file tree, its commands and its quick start."""

import dataclasses
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from packkit.training import DataConfig, ModelConfig, OptimizerConfig, RunConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def tree():
    """Paths that the file tree names."""
    (block,) = (text for _, text in BLOCKS if text.startswith("packkit/"))
    folder = ""
    for line in block.splitlines():
        name = line.split()[0]
        if line.startswith(" "):
            yield folder + name
        else:
            folder = name
            yield name


def test_tree_names_what_is_there():
    assert [name for name in tree() if not (ROOT / name).exists()] == []


def test_tree_names_every_part_of_the_library():
    parts = {
        f"packkit/{path.name}" + ("/" if path.is_dir() else "")
        for path in (ROOT / "packkit").iterdir()
        if not path.name.startswith("__") and path.name != "py.typed"
    }
    assert parts <= set(tree())


def test_targets_and_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    commands = set(re.findall(r"^packkit (\w+) ", README, re.MULTILINE))
    assert {"pack", "plan", "stats", "verify", "show", "train", "generate", "export"} <= commands
    shown = subprocess.run(
        [sys.executable, "-m", "packkit", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(command in shown for command in commands)


def test_quick_start_runs(tmp_path, monkeypatch, qwen3_folder):
    (quick_start,) = (text for language, text in BLOCKS if language == "python")
    build = [sys.executable, ROOT / "examples/demo/build.py", "demo/data"]
    monkeypatch.chdir(tmp_path)
    subprocess.run([*build, "--tokenizer", "demo/tokenizer.json"], check=True, capture_output=True)
    script = tmp_path / "quick_start.py"
    script.write_text(quick_start)
    runpy.run_path(str(script))
    assert (tmp_path / "packs" / "manifest.json").exists()


@pytest.mark.parametrize(
    "name",
    ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", *DOCS],
)
def test_links_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text()):
        assert (ROOT / name).parent.joinpath(link).exists(), link


def test_docs_name_every_key_of_a_recipe():
    text = (ROOT / "docs" / "training.md").read_text()
    for config in (RunConfig, DataConfig, ModelConfig, OptimizerConfig):
        for field in dataclasses.fields(config):
            assert re.search(rf"`(\w+\.)?{field.name}`", text), f"{config.__name__}.{field.name}"
