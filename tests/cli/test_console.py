"""Nothing that data says reaches a terminal as anything but visible text."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing_inputs import write_lines

from packkit.cli.console import show_line, show_notice, visible
from packkit.cli.progress import counting

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b]0;PWNED\x07\x1b[2J\x1b]52;c;ZQ==\x07\x9b31m\u202eevil\r\b\x7f\u2066[bold]m[/]\u2028"


def obeyed(text):
    """Characters that a terminal may act on, but for line breaks and tabs."""
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {c for c in text if category(c) in kinds} - set("\n\t\u200c\u200d")


def packkit(*arguments, **options):
    command = [sys.executable, "-m", "packkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, **options)


@given(st.text())
def test_visible_text_holds_nothing_that_is_obeyed(text):
    shown = visible(text)
    assert obeyed(shown) == set()
    assert visible(shown) == shown
    if not obeyed(text):
        assert shown == text


def test_halves_of_surrogate_pairs_are_shown():
    assert visible("a\udcffb") == "a\\udcffb"


def test_a_line_is_one_line_and_an_error_fakes_no_other(capsys):
    show_line("shard\nsound: 9 packs")
    show_notice("bad\npackkit: done")
    out, err = capsys.readouterr()
    assert out == "shard\\nsound: 9 packs\n"
    assert err == "packkit: bad\n  packkit: done\n"


def test_an_error_names_a_url_without_its_login(capsys):
    show_notice("https://me:hunter2@host/a@b: no such file")
    assert capsys.readouterr().err == "packkit: https://host/a@b: no such file\n"


def test_what_a_bar_counts_is_neither_markup_nor_control(capsys):
    with counting() as bars:
        bars.add_task("from [bold]m[/]\x1b[2J", total=None)
        bars.refresh()
        shown = "".join(
            segment.text for line in bars.console.render_lines(bars) for segment in line
        )
    assert obeyed(shown) == set()
    assert "from [bold]m[/]\\x1b[2J" in shown


def test_a_bar_keeps_to_one_line_whatever_it_counts():
    with counting() as bars:
        bars.add_task("word " * 200, total=None)
        bars.refresh()
        assert len(bars.console.render_lines(bars)) == 1


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, qwen3_folder):
    """A folder in which ids, texts, groups, the source's name and the set's name are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    meta = {"source": HOSTILE}
    rows = [{"id": f"{HOSTILE}{i}", "content": f"text {HOSTILE}", "meta": meta} for i in range(3)]
    bad = {"id": HOSTILE, "messages": [{"role": HOSTILE, "content": "x"}]}
    write_lines(folder / "in[red]\x1b[31m.jsonl", [*rows, bad])
    result = packkit(
        "pack", "in[red]\x1b[31m.jsonl", "--out", "o[/b]\x1b]2;x\x07", "--tokenizer", qwen3_folder,
        "--max-len", 1024, "--max-reject-rate", 1, cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder, result


# What every command prints that shows data, as a real process; {} is the set.
COMMANDS = {
    "stats": ("stats", "{}"),
    "stats --json": ("stats", "{}", "--json"),
    "verify": ("verify", "{}"),
    "show": ("show", "{}", "0"),
    "show --sample": ("show", "{}", "0", "--sample", "0"),
    "no such set": ("verify", "\x1b[31m\udc9b"),
    "no such option": ("show", "--\x1b[31m", "0"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_passes_controls_on(hostile, command):
    folder, _ = hostile
    (packs,) = folder.glob("o*/b*/manifest.json")
    words = [word.replace("{}", str(packs.parent)) for word in COMMANDS[command]]
    result = packkit(*words, cwd=folder)
    assert obeyed((result.stdout + result.stderr).decode()) == set()
    assert b"Traceback" not in result.stderr
    if "{}" in COMMANDS[command]:
        assert result.returncode == 0, result.stderr


def test_reports_and_damage_pass_no_controls_on(hostile):
    folder, packed = hostile
    shown = (packed.stdout + packed.stderr).decode()
    assert obeyed(shown) == set()
    assert "in[red]\\x1b[31m.jsonl" in shown
    assert "o[/b]\\x1b]2;x\\x07" in shown
    (shard,) = folder.glob("o*/b*/shard-*.jsonl")
    shard.with_name("shard-\x1b[2J.jsonl").write_bytes(shard.read_bytes()[:40])
    try:
        result = packkit("verify", shard.parent)
    finally:
        shard.with_name("shard-\x1b[2J.jsonl").unlink()
    assert obeyed((result.stdout + result.stderr).decode()) == set()


def test_json_says_the_same_in_escapes(hostile):
    folder, _ = hostile
    (packs,) = folder.glob("o*/b*/manifest.json")
    stats = json.loads(packkit("stats", packs.parent, "--json").stdout)
    assert [group["name"] for group in stats["groups"]] == [HOSTILE]
    assert json.loads(packkit("show", packs.parent, 0, "--sample", 0).stdout)["meta"] == {
        "source": HOSTILE
    }


def test_commands_print_through_the_edge_alone():
    edge = {"console.py", "tables.py", "progress.py", "catalog_printing.py"}
    places = []
    for folder in ("packkit/cli", "packkit/infimed/cli"):
        for path in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = ast.unparse(node.func).rpartition(".")[2]
                    if name in ("print", "echo", "secho", "Console") and path.name not in edge:
                        places.append((path.name, node.lineno, ast.unparse(node)))
    # The one print without a text sends out what is still held back.
    assert [text for _, _, text in places] == ["print(end='', flush=True)"]
