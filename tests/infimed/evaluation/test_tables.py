"""Tables hold every number with its method, and say when they mix methods or lack something."""

import csv
import io
import re
from dataclasses import replace

import pytest
from scored_results import everywhere, scored

from packkit.infimed.cli.evaluation_printing import show_results
from packkit.infimed.evaluation.benchmarks import BENCHMARKS, TITLES
from packkit.infimed.evaluation.tables import AVERAGE, Table, parts

CELL = re.compile(r"(?<!\\)\|")


def cells_of(markdown, number=0):
    """Rows of a table in Markdown, each a list of its cells."""
    table = re.findall(r"(?:^\|.*\|\n)+", markdown + "\n", re.MULTILINE)[number]
    rows = [
        [cell.strip() for cell in CELL.split(line)[1:-1]] for line in table.strip().splitlines()
    ]
    assert set("".join(rows.pop(1))) == {"-"}
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def lines_of(table):
    return list(csv.DictReader(io.StringIO(table.to_csv())))


def test_accuracies_and_average_stand_in_order(tmp_path):
    outcomes = {name: "r" * number + "w" * (7 - number) for number, name in enumerate(BENCHMARKS)}
    row = Table([scored(tmp_path, outcomes, label="one")])
    header, cells = cells_of(row.to_markdown())
    assert header == ["result", *TITLES.values(), AVERAGE]
    assert [cell.split()[0] for cell in cells] == [
        "one", "0.0", "14.3", "28.6", "42.9", "57.1", "71.4", "85.7", "42.9",
    ]  # fmt: skip
    # Wilson's interval of 1 of 7.
    assert cells[2] == "14.3 (2.6-51.3) [a]"
    assert cells[-1] == "42.9 [a]"


def test_stages_make_a_row_each(tmp_path):
    labels = ["1", "1+2", "1+3", "1+2+3"]
    table = Table(
        [
            scored(tmp_path / label, everywhere("r" * number + "www"), label=label, model="tiny")
            for number, label in enumerate(labels)
        ]
    )
    rows = cells_of(table.to_markdown())[1:]
    assert [(row[0], row[-1]) for row in rows] == list(
        zip(labels, ["0.0 [a]", "25.0 [a]", "40.0 [a]", "50.0 [a]"], strict=True)
    )


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "\n;=1"])
def test_no_text_of_a_csv_is_a_formula(tmp_path, label):
    table = Table([scored(tmp_path, everywhere("rw"), label=label, model=f"{label},'\"x")])
    lines = lines_of(table)
    assert {line["label"] for line in lines} == {f"'{label}"}
    assert {line["model"] for line in lines} == {f"'{label},'\"x"}
    assert {line["accuracy"] for line in lines} == {"0.5"}


def test_csv_holds_every_cell_with_its_method(tmp_path):
    judged = scored(tmp_path / "x", everywhere("rrwu") | {"slake": "rf"}, judge="j", guess=True)
    lines = lines_of(Table([judged, scored(tmp_path / "y", everywhere("w"))]))
    assert [line["benchmark"] for line in lines] == 2 * [*BENCHMARKS, AVERAGE]
    assert [line["label"] for line in lines] == 8 * ["x"] + 8 * ["y"]
    first, slake = lines[0], lines[BENCHMARKS.index("slake")]
    counts = ("n", "decided", "right", "unparsed", "judge_failed", "guesses")
    assert [first[name] for name in counts] == ["4", "4", "2", "1", "0", "4"]
    assert [slake[name] for name in counts] == ["2", "1", "1", "0", "1", "2"]
    assert float(first["accuracy"]) == 0.5
    assert float(first["low"]) < 0.5 < float(first["high"])
    assert float(lines[7]["accuracy"]) == pytest.approx((6 * 0.5 + 1) / 7)
    assert lines[7]["n"] == lines[7]["low"] == ""
    methods = {
        tuple(line[name] for name in ("scorer", "seed", "judge", "judge_prompt_version"))
        for line in lines[:8]
    }
    assert methods == {("strict", "0", "j", "1")}
    assert {line["judge"] for line in lines[8:]} == {""}
    assert {line["prompt_version"] for line in lines} == {"1"}


def test_average_is_refused_while_a_benchmark_is_missing(tmp_path):
    few = {name: "r" for name in BENCHMARKS if name not in ("vqa-rad", "medxpertqa")}
    table = Table([scored(tmp_path, few | {"slake": "f"}, label="one")])
    markdown = table.to_markdown()
    cells = dict(zip(*cells_of(markdown), strict=True))
    assert [title for title, cell in cells.items() if cell == "-"] == [
        TITLES["vqa-rad"],
        TITLES["slake"],
        TITLES["medxpertqa"],
        AVERAGE,
    ]
    assert "no average: vqa-rad, slake, medxpertqa missing" in markdown
    average = lines_of(table)[-1]
    assert average["benchmark"] == AVERAGE and average["accuracy"] == ""


def test_one_method_is_said_once_and_marked_everywhere(tmp_path):
    table = Table([scored(tmp_path / name, everywhere("rw"), label=name) for name in "xy"])
    markdown = table.to_markdown()
    assert table.mixes == "" and "mixes" not in markdown
    assert markdown.count("\n[a] scorer strict 1 (seed 0), no judge, asked by prompt 1\n") == 1
    assert all(cell.endswith(" [a]") for row in cells_of(markdown)[1:] for cell in row[1:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scorer": "medevalkit"}, "scorer: strict, medevalkit"),
        ({"judge": "k"}, "judge: j, k"),
        ({"judge": None}, "judge: j, none; judge prompt version: 1, none"),
        ({"judge_prompt_version": "2"}, "judge prompt version: 1, 2"),
        ({"prompt_version": "2"}, "prompt version: 1, 2"),
        ({"seed": 1}, "seed: 0, 1"),
        ({"scorer_version": "2"}, "scorer version: 1, 2"),
    ],
)
def test_mixed_methods_are_said_above_the_table(tmp_path, changes, words):
    first = scored(tmp_path / "x", everywhere("r"), judge="j")
    table = Table([first, scored(tmp_path / "y", everywhere("r"), **{"judge": "j"} | changes)])
    assert table.mixes == table.to_dict()["mixes"] == words
    warning = table.to_markdown().split("\n\n")[0]
    assert warning == f"This table mixes what cannot be compared: {words}."
    rows = cells_of(table.to_markdown())[1:]
    assert [row[1].rsplit(" ", 1)[1] for row in rows] == ["[a]", "[b]"]


def test_other_questions_under_one_name_are_said_above_the_table(tmp_path):
    first = scored(tmp_path / "x", {"slake": "rw", "mmmu": "r"})
    table = Table([first, scored(tmp_path / "y", {"slake": "r", "pmc-vqa": "r"})])
    assert table.mixes == "questions of SLAKE"


def test_parts_are_shown_by_kind_and_group(tmp_path):
    table = Table([scored(tmp_path, {"slake": "rwfu", "mmmu": "r"}, label="one", judge="j")])
    (_, *rows) = cells_of(table.to_markdown(), 1)
    assert [row[1:-1] for row in rows if row[1].startswith("SLAKE")] == [
        ["SLAKE, all", "4", "1", "1", "1"],
        ["SLAKE, closed", "2", "0", "1", "0"],
        ["SLAKE, open", "2", "1", "0", "1"],
        ["SLAKE, modality: CT", "2", "1", "0", "0"],
        ["SLAKE, modality: MR", "2", "0", "1", "1"],
    ]
    assert rows[0][:2] == ["one", "MMMU, all"] and rows[0][-1] == "100.0 (20.7-100.0) [a]"
    part_lines = table.to_dict()["parts"]
    methods = {(line["scorer"], line["judge"]) for line in part_lines}
    assert methods == {("strict", "j")}
    # There is no closed question of the other.
    names = [(line["benchmark"], line["part"]) for line in part_lines]
    assert names == [(part.benchmark, part.name) for part in parts(table.results[0].scores)]
    assert ("mmmu", "open") in names and ("mmmu", "closed") not in names


def test_parts_of_results_stand_below_each_other(tmp_path):
    table = Table(
        [
            scored(tmp_path / "x", {"slake": "rw"}),
            scored(tmp_path / "y", {"slake": "r", "mmmu": "r"}),
        ]
    )
    assert [row[:2] for row in table.part_rows()] == [
        ["y", "MMMU, all"],
        ["y", "MMMU, open"],
        ["y", "MMMU, modality: CT"],
        ["x", "SLAKE, all"],
        ["y", "SLAKE, all"],
        ["x", "SLAKE, closed"],
        ["x", "SLAKE, open"],
        ["y", "SLAKE, open"],
        ["x", "SLAKE, modality: CT"],
        ["y", "SLAKE, modality: CT"],
    ]


def test_what_is_left_out_or_guessed_is_noted(tmp_path):
    results = scored(tmp_path, {"slake": "rff", "mmmu": "r"}, judge="j", guess=True)
    markdown = Table([results]).to_markdown()
    assert "left out, for the judge gave no verdict: 2 of slake;" in markdown
    assert "guessed by likeness or chance: 3 of slake, 1 of mmmu" in markdown


@pytest.mark.parametrize("name", ["a|b", "x\n| y |", "[a](b)", "<b>*c*</b> `d` $e$", "\\|", "**"])
def test_names_are_no_markup(tmp_path, name):
    table = Table([scored(tmp_path, everywhere("r"), label=name, model=name, judge=name)])
    markdown = table.to_markdown()
    (row,) = cells_of(markdown)[1:]
    assert re.sub(r"\\(.)", r"\1", row[0]) == " ".join(name.split())
    assert not re.search(r"(?<!\\)[<>`$]", markdown)
    # Two headers, two rules, a row, and three parts of each benchmark.
    assert len(re.findall(r"^\| ", markdown, re.MULTILINE)) == 2 + 2 + 1 + 7 * 3
    (line, *_) = lines_of(table)
    assert line["label"] == line["model"] == line["judge"] == name


def test_marks_do_not_run_out(tmp_path):
    results = scored(tmp_path, everywhere("r"))
    methods = [results.method._replace(seed=seed) for seed in range(28)]
    rows = [replace(results, scores=replace(results.scores, method=method)) for method in methods]
    marks = [row[-1].rsplit(" ", 1)[1] for row in cells_of(Table(rows).to_markdown())[1:]]
    assert (marks[0], marks[25], marks[26], marks[27]) == ("[a]", "[z]", "[aa]", "[bb]")
    assert len(set(marks)) == 28


def test_terminal_shows_each_accuracy_at_its_benchmark_and_what_is_mixed(tmp_path, capsys):
    outcomes = {name: "r" * number + "w" * (7 - number) for number, name in enumerate(BENCHMARKS)}
    strict = scored(tmp_path / "x", outcomes)
    show_results(Table([strict, scored(tmp_path / "y", outcomes, scorer="medevalkit")]))
    shown = capsys.readouterr().out
    cells = re.findall(r"│ ([\w-]+) +│ +x │ +([\d.]+) ", shown)
    titles = [*TITLES.values(), AVERAGE]
    accuracies = ["0.0", "14.3", "28.6", "42.9", "57.1", "71.4", "85.7", "42.9"]
    assert cells == list(zip(titles, accuracies, strict=True))
    assert "mixes what cannot be compared: scorer: strict, medevalkit" in shown
