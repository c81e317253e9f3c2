"""Amounts are exact, mean one thing, and what is none is a usage error that says the rule."""

import subprocess
import sys

import pytest
import typer

from packkit.cli.amounts import parse_bytes, parse_capacities, parse_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("4096", 4096),
        (4096, 4096),
        ("4k", 4096),
        ("32K", 32768),
        ("128k", 131072),
        ("4ki", 4096),
        ("4.5k", 4608),
        ("1m", 2**20),
        (" 4 k ", 4096),
        ("0", 0),
        ("100000000000", 10**11),
    ],
)
def test_a_k_of_tokens_is_1024(text, tokens):
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256MiB", 2**28),
        ("500MB", 500 * 10**6),
        ("1.5kb", 1500),
        ("1.5Ki", 1536),
        ("2g", 2 * 10**9),
        ("7B", 7),
        (2**28, 2**28),
    ],
)
def test_a_k_of_bytes_is_1000_and_a_ki_1024(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "k", "4kk", "-4k", "+4", "1e3", "4.k", ".5k", "1.0001k", "0.5", "4_096", "4,096"),
        *("\uff14\uff10\uff19\uff16", "4\u212a", "4i", "nan", "inf", "4t", "9" * 5000),
    ],
)
def test_what_is_no_amount_is_a_usage_error_with_the_rule(text):
    for parse, unit in ((parse_tokens, "tokens, as 4096 or 4k"), (parse_bytes, "bytes, as 256MiB")):
        with pytest.raises(typer.BadParameter, match=f"must be a whole number of {unit}"):
            parse(text)


def test_tokens_are_no_bytes():
    with pytest.raises(typer.BadParameter):
        parse_tokens("4kB")


def test_capacities_stand_between_commas():
    assert parse_capacities("2k,4096,8K") == [2048, 4096, 8192]
    for text in ("", "4k,", "4k 8k", "4k,1e3"):
        with pytest.raises(typer.BadParameter, match="must be a whole number"):
            parse_capacities(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pack x --max-len 4kk", "Invalid value for '--max-len'"),
        ("plan x --max-len 4k,4kk", "Invalid value for '--max-len'"),
        ("pack x --shard-size 4kk", "Invalid value for '--shard-size'"),
        ("pack x --max-len 100000000000", "max_len must be at most 16777216, got 100000000000"),
        ("pack x --workers 100000000", "workers must be at most 1024, got 100000000 (--workers)"),
        ("pack x --workers 0", "workers must be at least 1, got 0 (--workers)"),
        ("pack x --max-reject-rate nan", "max_reject_rate must be in [0, 1], got nan"),
    ],
)
def test_numbers_out_of_range_are_usage_errors_that_name_the_flag(words, said, tmp_path):
    (tmp_path / "x").write_text("")
    command = [sys.executable, "-m", "packkit", *words.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
