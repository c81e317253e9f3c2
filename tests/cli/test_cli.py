"""The command line as a person or a script uses it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from packing_inputs import caption, png, write_lines

from packkit import PackLoader


def packkit(*arguments, **options):
    command = [sys.executable, "-m", "packkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def packed(tmp_path_factory, qwen3_folder):
    """A folder with data and with packs made from it by the command, and its report."""
    folder = tmp_path_factory.mktemp("cli")
    write_lines(folder / "data.jsonl", [caption(i) for i in range(30)])
    result = packkit(
        "pack", "data.jsonl", "--tokenizer", qwen3_folder, "--max-len", 1024, "--json", cwd=folder
    )
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


def test_report_has_its_keys(packed):
    _, report = packed
    keys = "samples_read samples_packed samples_rejected packs tokens images efficiency lower_bound"
    assert set(f"{keys} gap shards bytes seconds".split()) <= report.keys()
    assert report["samples_read"] == report["samples_packed"] == 30


def test_lines_come_through_a_pipe(packed, qwen3_folder):
    folder, report = packed
    result = packkit(
        "pack", "--out", "piped", "--tokenizer", qwen3_folder, "--max-len", "1024", "--json",
        cwd=folder, input=(folder / "data.jsonl").read_text(),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tokens"] == report["tokens"]


def test_packs_are_verified_shown_and_counted(packed, tmp_path):
    folder, report = packed
    result = packkit("verify", folder / "packs", "--deep", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["encoded"] == 30
    stats = json.loads(packkit("stats", folder / "packs", "--json").stdout)
    assert stats["packs"] == report["packs"]
    assert "samples per pack" in packkit("stats", folder / "packs").stdout
    image = tmp_path / "image.png"
    shown = packkit("show", folder / "packs", 0, "--sample", 0, "--image", 0, "--save", image)
    assert shown.returncode == 0, shown.stderr
    sample = json.loads(packkit("show", folder / "packs", 0, "--sample", 0).stdout)
    assert image.read_bytes() == png(int(sample["id"].split("/")[1]))
    assert "tokens" in packkit("show", folder / "packs", 0).stdout


def test_index_is_rebuilt(packed):
    folder, _ = packed
    (index,) = (folder / "packs").glob("*.index.arrow")
    before = index.read_bytes()
    index.unlink()
    result = packkit("index", folder / "packs")
    assert result.returncode == 0, result.stderr
    assert index.read_bytes() == before


def test_damage_is_found(packed, tmp_path):
    folder, _ = packed
    (shard,) = (folder / "packs").glob("shard-*.jsonl")
    sound = shard.read_bytes()
    broken = bytearray(sound)
    broken[len(broken) // 2] ^= 1
    shard.write_bytes(broken)
    try:
        result = packkit("verify", folder / "packs")
    finally:
        shard.write_bytes(sound)
    assert result.returncode == 1
    assert "shard-00000" in result.stdout


def test_plan_answers_for_lengths(tmp_path):
    np.save(tmp_path / "lengths.npy", np.random.default_rng(0).integers(1, 2000, 1000))
    result = packkit("plan", tmp_path / "lengths.npy", "--max-len", "2048,4096", "--json")
    assert [row["capacity"] for row in json.loads(result.stdout)["plans"]] == [2048] * 2 + [
        4096
    ] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["pack", "nowhere.jsonl", "--tokenizer", "TOKENIZER"], 2, "no such file"),
        (["pack", "a.jsonl", "--max-len", "0"], 2, "max-len"),
        (["pack", "a.jsonl", "--columns", "image"], 2, "role=field"),
        (["verify", "nowhere"], 1, "nowhere"),
        (["stats"], 2, "Missing argument"),
    ],
)
def test_failures_have_their_exit_codes(tmp_path, qwen3_folder, arguments, code, words):
    filled = [str(qwen3_folder) if word == "TOKENIZER" else word for word in arguments]
    result = packkit(*filled, cwd=tmp_path)
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_too_many_rejects_exit_with_1_and_one_line(tmp_path, qwen3_folder):
    write_lines(tmp_path / "a.jsonl", [caption(1), b"no json"])
    result = packkit("pack", "a.jsonl", "--tokenizer", qwen3_folder, "--json", cwd=tmp_path)
    assert result.returncode == 1
    assert json.loads(result.stdout)["samples_packed"] == 1
    assert result.stderr.strip().splitlines() == [
        "packkit: 1 of 2 samples rejected, more than max_reject_rate 0.01; "
        "reasons in packs/rejects.jsonl"
    ]
    again = packkit("pack", "a.jsonl", "--tokenizer", qwen3_folder, "--json", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (1, result.stderr)
    assert json.loads(again.stdout)["was_complete"]


def test_the_same_command_again_succeeds_and_says_that_it_is_complete(packed, qwen3_folder):
    folder, report = packed
    command = "pack", "data.jsonl", "--tokenizer", qwen3_folder, "--max-len"
    again = packkit(*command, 1024, "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert (report["was_complete"], json.loads(again.stdout)["was_complete"]) == (False, True)
    shown = packkit(*command, 1024, cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].startswith("already complete: packs holds")
    other = packkit(*command, 2048, cwd=folder)
    assert other.returncode != 0
    assert "options.max_len was 1024, now 2048" in other.stderr
    assert "Traceback" not in other.stderr


def test_ledger_is_proven_or_what_is_wrong_is_said(packed, tmp_path):
    folder, _ = packed
    loader = PackLoader(folder / "packs", packs_per_step=2, image_size=8, ledger=tmp_path)
    assert len(list(loader)) == len(loader)
    result = packkit("ledger", tmp_path, folder / "packs")
    assert result.returncode == 0, result.stderr
    assert "every pack once an epoch" in result.stdout
    lines = (tmp_path / "rank-00000.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "rank-00000.jsonl").write_bytes(b"".join([*lines[:1], *lines[2:]]))
    result = packkit("ledger", tmp_path, folder / "packs", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["problems"]


def test_help_loads_nothing_heavy():
    # A limit in seconds would test the machine; what is loaded is what the command costs.
    heavy = "numpy", "numba", "pyarrow", "torch", "transformers", "tokenizers", "PIL"
    code = (
        "import sys; from typer.testing import CliRunner; from packkit.cli.main import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.split()
    assert "packkit.cli" in loaded
    assert not set(heavy) & set(loaded)


def test_hub_that_cannot_be_reached_names_the_way_out(tmp_path):
    write_lines(tmp_path / "a.jsonl", [caption(1)])
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    result = packkit("pack", "a.jsonl", cwd=tmp_path, env=offline)
    assert result.returncode == 2
    assert "tokenizer.json" in result.stderr
