import subprocess
import sys
import tomllib
from importlib.resources import files

import orjson
import pytest
from typer.testing import CliRunner

# The command registers itself.
import packkit.infimed.cli.catalog
from packkit.base.errors import InputError
from packkit.cli.main import app
from packkit.infimed.data.catalog import MODALITIES, DataSet, catalog, data_set_named
from packkit.sources import installed_layouts

TABLE_1 = [
    "datacomp",
    "ccs",
    "obelics",
    "mmc4",
    "mammoth-vl-10m",
    "iu-xray",
    "llava-med-alignment",
    "llava-med-fig-caption",
    "llava-med-instruct",
    "llava-med-60k-im-text",
    "medtrinity-25m",
    "medpix-2.0",
    "pmc-oa",
    "pubmedvision-alignment",
    "pubmedvision-instruct",
    "roco",
    "rocov2",
    "path-vqa",
    "pmc-vqa",
    "slake",
    "vqa-med-2019",
    "vqa-rad",
]

SMALL = {
    "name": "x",
    "title": "X",
    "layout": "llava",
    "files": "x.json",
    "where": "x/x",
    "licence": "see its page",
    "note": "",
}
DOMAINS = {
    "chest_xray": "X-ray",
    "mri": "MRI",
    "histology": "Pathology/Histology",
    "gross": "Gross/Clinical photo",
    "ct_scan": "CT",
}


def test_the_data_sets_of_table_1_are_there():
    assert list(catalog()) == TABLE_1


@pytest.mark.parametrize("name", TABLE_1)
def test_an_entry_is_whole(name):
    data_set = data_set_named(name)
    assert data_set.name == name
    assert data_set.layout in installed_layouts()
    for text in (data_set.title, data_set.files, data_set.where, data_set.licence, data_set.note):
        assert text and text == text.strip() and "  " not in text and "\n" not in text
    assert data_set.samples is None or data_set.samples > 0


def test_what_the_audit_left_out():
    excluded = {name for name, data_set in catalog().items() if data_set.excluded}
    assert excluded == {"iu-xray", "medpix-2.0", "pmc-oa", "vqa-med-2019"}


def test_the_file_holds_nothing_else():
    text = files("packkit.infimed.data").joinpath("catalog.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    assert set(tables) == set(TABLE_1)
    for name, table in tables.items():
        # Values differ beyond their case, or one of them would be lost.
        modality_map = table.get("modality_map", {})
        assert len({key.casefold() for key in modality_map}) == len(modality_map), name


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"modality": "Pathology"}, "x: a modality must be one of CT, MRI, .* got 'Pathology'"),
        ({"modality_key": "m", "modality_map": {"a": "ct"}}, "got 'ct'"),
        ({"modality_key": "m"}, "need each other"),
        ({"modality_map": {"a": "CT"}}, "need each other"),
        (
            {"modality": "CT", "modality_key": "m", "modality_map": {"a": "CT"}},
            "exclude each other",
        ),
    ],
)
def test_modalities_that_make_no_sense(change, rule):
    with pytest.raises(InputError, match=rule):
        DataSet(**SMALL, **change)


def test_a_key_that_an_entry_does_not_have():
    with pytest.raises(TypeError, match="colour"):
        DataSet(**SMALL, colour="red")


def test_a_name_of_nothing():
    with pytest.raises(InputError, match=r"no data set 'slack' is known; there are .*slake"):
        data_set_named("slack")


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_fixed_modality(modality):
    data_set = DataSet(**SMALL, modality=modality)
    assert data_set.modality_of({}) == data_set.modality_of({"modality": "CT"}) == modality


@pytest.mark.parametrize(
    ("meta", "modality"),
    [
        ({"modality": "CT"}, "CT"),
        ({"modality": " x-RAY"}, "X-ray"),
        ({"modality": "X-Ray"}, "X-ray"),
        ({"modality": "Ultrasonic"}, None),
        ({"modality": None}, None),
        ({"modality": ["CT"]}, None),
        ({}, None),
    ],
)
def test_a_modality_that_a_field_tells(meta, modality):
    assert data_set_named("slake").modality_of(meta) == modality


@pytest.mark.parametrize("name", ["llava-med-alignment", "llava-med-fig-caption"])
def test_the_true_domain_counts(name):
    modality_of = data_set_named(name).modality_of
    for domain, modality in DOMAINS.items():
        assert modality_of({"domain": dict.fromkeys(DOMAINS, False) | {domain: True}}) == modality
    assert modality_of({"domain": dict.fromkeys(DOMAINS, False)}) is None
    assert modality_of({"domain": {"mri": True, "gross": True}}) is None
    assert modality_of({"domain": {"mri": "yes"}}) is None
    assert modality_of({"domain": {"plot": True}}) is None


def run(*arguments):
    return CliRunner().invoke(app, ["catalog", *arguments], env={"COLUMNS": "200"})


def test_the_command_lists_them():
    result = run()
    assert result.exit_code == 0
    for data_set in catalog().values():
        (line,) = (row for row in result.stdout.splitlines() if f" {data_set.name} " in row)
        assert data_set.layout in line and data_set.where in line


@pytest.mark.parametrize("name", TABLE_1)
def test_the_command_tells_all_about_one(name):
    shown = " ".join(run(name).stdout.split())
    data_set = data_set_named(name)
    for value in (data_set.files, data_set.note, data_set.licence, data_set.where):
        assert value in shown
    assert ("left out by the paper yes" in shown) == data_set.excluded


def test_the_command_gives_json():
    listed = orjson.loads(run("--json").stdout)["data_sets"]
    assert listed == [data_set.to_dict() for data_set in catalog().values()]
    assert orjson.loads(run("slake", "--json").stdout) == data_set_named("slake").to_dict()


def test_the_command_on_a_name_of_nothing():
    assert isinstance(run("slack").exception, InputError)


def test_the_command_costs_nothing_until_it_runs():
    code = "import sys, packkit.infimed.cli.catalog"
    code += "; print('packkit.infimed.data.catalog' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr
    assert packkit.infimed.cli.catalog.catalog_command.__doc__
