"""What is shown before packing is what packing makes: layouts, fields, samples and rejects."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packkit.cli.main import app
from packkit.sources import read_samples
from packkit.sources.inspection import inspect_inputs

REPORTS = Path(__file__).parent / "reports"


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("path", sorted(REPORTS.glob("*.*")), ids=lambda path: path.name)
def test_samples_and_rejects_are_those_of_packing(tmp_path, path):
    (inspection,) = inspect_inputs([path], samples=100)
    if inspection.problem:
        assert inspection.layout == ""
        return
    read = [sample for _, sample in read_samples([path], staging=tmp_path)]
    legal = [sample for sample in read if hasattr(sample, "texts")]
    assert len(inspection.samples) == len(legal)
    assert sum(inspection.rejects.values()) == len(read) - len(legal)
    assert inspection.examples.keys() == inspection.rejects.keys()
    for view, sample in zip(inspection.samples, legal, strict=True):
        text = "".join("[image]" if part is None else part for part in sample.parts)
        assert "".join(turn.text for turn in view.turns) == text
        trained = [turn.is_trained for turn in view.turns]
        messages = sample.messages
        assert trained == ([message.is_trained for message in messages] if messages else [True])
        assert len(view.images) == len(sample.images)


def test_fields_are_named_with_what_they_hold(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"a": 1, "b": [{"c": 2}], "d": None}, {"a": "x", "b": []})
    (inspection,) = inspect_inputs([path])
    assert inspection.fields == {
        "a": ["number", "text"],
        "b": ["list of object of c", "empty list"],
        "d": ["null"],
    }
    assert (inspection.container, inspection.layout, inspection.fitting) == ("jsonl", "", [])
    assert "no known layout has the keys a, b, d" in inspection.problem


def test_several_layouts_that_fit_are_all_named(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"content": "x", "image": "a.jpg", "text": "y"})
    (inspection,) = inspect_inputs([path])
    assert inspection.fitting == ["caption", "packkit"]
    assert "could be caption or packkit" in inspection.problem


def test_tokens_are_counted_where_an_encoder_is_named(tmp_path, small_encoder):
    path = lines(tmp_path / "a.jsonl", {"content": "A heart."})
    (sample,) = next(inspect_inputs([path], encoder=small_encoder)).samples
    (expected,) = (sample for _, sample in read_samples([path], staging=tmp_path / "staging"))
    assert sample.length == small_encoder.length(expected)


def test_the_command_shows_it_and_fails_where_something_does_not_fit(tmp_path):

    done = CliRunner().invoke(app, ["inspect", str(REPORTS / "28b_turn_weight.json")])
    assert done.exit_code == 0
    assert "assistant: Spleen, this turn must not be trained." in done.output
    assert "assistant (trained): Liver." in done.output
    done = CliRunner().invoke(app, ["inspect", str(REPORTS / "21e_image_in_key.jsonl")])
    assert done.exit_code == 1
    assert "rejected, unused_media: 4, for example record 0: the key 'image_path'" in done.output
    done = CliRunner().invoke(app, ["inspect", str(REPORTS / "29_placeholders.json"), "--json"])
    (report,) = json.loads(done.output)["files"]
    assert report["rejects"] == {"unknown_marker": 14}
