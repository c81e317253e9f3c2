"""Every example runs as it is handed out: no pack lost, none twice, and the loss falls."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

from packkit import PackConfig, PackReader, pack
from packkit.loading import FILLER

EXAMPLES = Path(__file__).parents[1] / "examples"

# Of the conversations of the demo data every so many-th is taken: 21 in all.
EVERY = 24

WARNINGS = (
    "error",
    # Of machines with one processor; two workers are what the examples are about.
    "ignore:This DataLoader will create:UserWarning",
    # torchdata 0.11 calls what torch 2.13 is about to drop.
    "ignore:'set_vital' is deprecated:UserWarning",
)


@pytest.fixture(scope="module")
def packs(tmp_path_factory, qwen3_folder):
    """A handful of small packs of real pictures, 144 tokens an image."""
    folder = tmp_path_factory.mktemp("examples")
    build = [sys.executable, EXAMPLES / "demo" / "build.py", folder / "data"]
    subprocess.run(build, check=True, capture_output=True)
    conversations = folder / "data" / "vqa" / "samples.jsonl"
    few = conversations.with_name("few.jsonl")
    few.write_text("".join(conversations.read_text().splitlines(keepends=True)[::EVERY]))
    pack(few, folder / "packs", PackConfig(max_len=1024, tokenizer=str(qwen3_folder)))
    return folder / "packs"


@pytest.fixture(scope="module")
def all_packs(packs):
    """Every pack once, as `taken` counts them."""
    with PackReader(packs) as reader:
        # Few, for the sake of time, and an odd number, so that the last step needs a filler.
        assert len(reader) in (5, 7, 9)
        return Counter(range(len(reader)))


@pytest.fixture
def run(packs, tmp_path):
    """Runs an example on the packs, where a warning is an error; returns what it prints."""

    def start(name, *options):
        flags = [part for warning in WARNINGS for part in ("-W", warning)]
        command = [sys.executable, *flags, EXAMPLES / f"{name}.py", packs, *map(str, options)]
        # Threads of a tiny model would wait for one another, and the hub has nothing to give.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


def steps(printed):
    """Number and packs of every step that an example printed."""
    found = re.findall(r"^step (\d+): packs \[(.*?)\]", printed, re.MULTILINE)
    return [(int(number), list(map(int, packs.split(",")))) for number, packs in found]


def taken(printed):
    """How often each pack was taken."""
    return Counter(pack for _, packs in steps(printed) for pack in packs if pack != FILLER)


def are_consecutive(printed):
    return [number for number, _ in steps(printed)] == list(range(len(steps(printed))))


def losses(printed):
    return [float(loss) for loss in re.findall(r", loss (.+)$", printed, re.MULTILINE)]


def test_every_example_is_tested():
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tests


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_is_short_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) < 80
    assert f"python examples/{path.name}" in text


def test_plain_loop(run, all_packs):
    whole = run("plain_loop", "--steps", 99, "--out", "whole")
    stopped = run("plain_loop", "--steps", 2, "--out", "run")
    resumed = run("plain_loop", "--steps", 99, "--out", "run", "--resume")
    assert taken(stopped + resumed) == all_packs
    assert are_consecutive(stopped + resumed)
    # To the last digit of every loss: no pack, no weight and no order is another.
    assert steps(stopped + resumed) == steps(whole)
    assert losses(stopped + resumed) == losses(whole)
    assert losses(whole)[-1] < losses(whole)[0] - 0.5
    for printed in (whole, stopped, resumed):
        assert printed.endswith("ledger: no pack lost, none twice\n")


def test_dataloader_map(run, all_packs):
    printed = run("dataloader_map", "--steps", 99)
    assert taken(printed) == all_packs
    assert are_consecutive(printed)


def test_dataloader_stream(run, all_packs):
    printed = run("dataloader_stream", "--steps", 1)
    assert taken(printed) == all_packs
    assert are_consecutive(printed)
    before, after = printed.split("goes on with one worker")
    assert len(steps(before)) == 1 and steps(after)


def test_stateful_dataloader(run, all_packs):
    printed = run("stateful_dataloader", "--steps", 1)
    assert taken(printed) == all_packs
    assert are_consecutive(printed)
    before, after = printed.split("goes on in a new loader")
    assert len(steps(before)) == 1 and steps(after)


def test_hf_trainer(run):
    printed = run("hf_trainer", "--steps", 12)
    (line,) = re.findall(r"^losses: (.+)$", printed, re.MULTILINE)
    found = list(map(float, line.split()))
    assert len(found) == 12
    # Before it has learnt anything every token of the vocabulary is as likely: ln 151,936.
    assert 11.5 < found[0] < 12.5
    assert mean(found[-5:]) < 0.8 * found[0]
