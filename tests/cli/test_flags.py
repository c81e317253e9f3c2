"""Messages of the library name options; the command line adds the flags that set them."""

import subprocess
import sys

import pytest
from packing_inputs import caption, write_lines

from packkit.cli.flags import flags_of, given_flags, with_flags, with_homes
from packkit.cli.main import app

FLAGS = {"max_len": "--max-len", "overwrite": "--overwrite", "seed": "--seed", "out": "--out"}


@pytest.mark.parametrize(
    ("message", "added"),
    [
        ("max_len must be at least 8, got 3", " (--max-len)"),
        ("seed must not be negative, got -1", " (--seed)"),
        ("packs: holds packs; overwrite replaces them", " (--overwrite)"),
        ("packs: made with another max_len; overwrite=True", " (--max-len, --overwrite)"),
        ("data/max_len/overwrite.jsonl: no such file", ""),
        ("recipe.toml: data.max_len must be at least 8", ""),
        ("--max-len must be at least 8; --overwrite replaces it", ""),
        ("the seed and the out of it must be sown", ""),
    ],
)
def test_flags_stand_behind_the_message(message, added):
    assert with_flags(message, FLAGS) == message + added


@pytest.mark.parametrize(
    ("arguments", "name", "flag"),
    [
        (["pack", "data.jsonl", "--seed", "3"], "max_len", "--max-len"),
        (["mix", "build", "lock", "--out", "packs"], "overwrite", "--overwrite"),
        (["stats", "pack"], "packs_per_step", "--packs-per-step"),
    ],
)
def test_flags_are_those_of_the_command_that_is_called(arguments, name, flag):
    assert flags_of(app, arguments)[name] == flag


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("pack a --out b --seed 3", [("--out", "b"), ("--seed", "3")]),
        ("pack a --out=b", [("--out", "b")]),
        ("pack a --strict", [("--strict", ""), ("--out", "packs")]),
        ("overlap a --against b", [("--against", "b")]),
    ],
)
def test_flags_are_found_with_what_they_were_given(words, given):
    assert given_flags(app, words.split()) == given


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--out=~/x", "--out=/home/me/x"),
        ("~/x", "/home/me/x"),
        ("slake=~", "slake=/home/me"),
        ("--benchmark=slake=~/x", "--benchmark=slake=/home/me/x"),
        ("--out=~other/x", "--out=~other/x"),
        ("a~/x", "a~/x"),
        ("./~/x", "./~/x"),
        ("--out=a/~", "--out=a/~"),
    ],
)
def test_a_tilde_that_begins_a_path_is_the_home(word, meant, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert with_homes([word]) == [meant]


def test_commands_without_an_option_have_no_flag_for_it():
    assert "max_len" not in flags_of(app, ["mix", "build"])
    assert "max_len" not in flags_of(app, [])


def test_what_stands_in_the_way_names_the_flag_once(tmp_path, qwen3_folder):
    write_lines(tmp_path / "a.jsonl", [caption(i) for i in range(3)])
    command = [sys.executable, "-m", "packkit", "pack", "a.jsonl", "--tokenizer", str(qwen3_folder)]
    for seed, code in ((0, 0), (1, 1)):
        result = subprocess.run(
            [*command, "--seed", str(seed)], capture_output=True, text=True, cwd=tmp_path
        )
        assert result.returncode == code, result.stderr
    assert result.stderr.count("--overwrite") == 1
