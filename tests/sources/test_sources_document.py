"""docs/sources.md tells the truth: its tables have every container, layout and data set."""

import re
from pathlib import Path

import pytest
from data_sets import NAMES, VARIANTS, build

from packkit.base.errors import RejectReason
from packkit.infimed.data.catalog import catalog
from packkit.infimed.data.layouts.pmc_vqa import PmcVqaLayout
from packkit.sources import installed_containers, installed_layouts

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")


def rows(heading):
    """First cell and rest of the rows of the table that has this first column."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\| ---.*\n((?:\|.*\n)*)", DOCUMENT, re.MULTILINE)
    return [tuple(line.strip("| ").split(" | ", 1)) for line in table.splitlines()]


def test_every_container_with_its_endings():
    cells = {name.strip("`"): rest for cell, rest in rows("container") for name in cell.split(", ")}
    assert cells.keys() == installed_containers().keys()
    for name, container in installed_containers().items():
        assert all(f"`{suffix}`" in cells[name] for suffix in container.suffixes)


def test_every_key_of_a_split():
    keys = {key for container in installed_containers().values() for key in container.first_keys}
    assert keys > {"train", "chest_xray"}
    assert all(f"`{key}`" in DOCUMENT for key in keys)


def test_every_layout():
    assert {name.strip("`") for name, _ in rows("layout")} == installed_layouts().keys()


def test_every_data_set_has_its_command():
    assert [name.strip("`") for name, _ in rows("data set")] == list(catalog())


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(VARIANTS)))
def test_a_command_names_files_that_are_called_so(tmp_path, name):
    data_set = build(name, tmp_path)
    command = dict(rows("data set"))[f"`{name}`"]
    (path,) = data_set.paths
    assert "*" in command or path.name in command
    assert ("--data-root" in command) >= (data_set.data_root is not None)


def test_reasons_are_reasons():
    reasons = {name.strip("`") for cell, _ in rows("reason") for name in cell.split(", ")}
    assert reasons <= {reason.value for reason in RejectReason}


def test_the_question_is_asked_as_shown(root):
    (shown,) = re.findall(r"```\n(Question: .*?)\n```", DOCUMENT, re.DOTALL)
    question, _, *options, _ = shown.splitlines()
    choices = {f"Choice {line[0]}": f" {line.replace('. ', ':', 1)}" for line in options}
    fields = {
        "Figure_path": "a.jpg",
        "Question": question.removeprefix("Question: "),
        **choices,
        "Answer": "B",
    }
    assert PmcVqaLayout({}).to_sample(fields, root).messages[0].content == (None, shown)
