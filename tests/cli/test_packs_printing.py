"""What the command line says of a packing run."""

import json
from collections import Counter
from pathlib import Path

import pytest

from packkit.cli.packs_printing import show_report
from packkit.packing import PackReport
from packkit.shards import Manifest, ShardEntry


def report(*sources, was_complete=False):
    """A report of sources given as (name, read, rejects by reason)."""
    entries = [
        {
            "name": name,
            "layout": "llava",
            "read": read,
            "packed": read - sum(rejects.values()),
            "rejected": sum(rejects.values()),
            "rejects": rejects,
        }
        for name, read, rejects in sources
    ]
    totals = {key: sum(entry[key] for entry in entries) for key in ("read", "packed", "rejected")}
    reasons = sum((Counter(entry["rejects"]) for entry in entries), Counter())
    shard = ShardEntry(
        name="shard-00000", packs=1, samples=totals["packed"], images=1, tokens=10, bytes=100,
        sha256="", index_checksum="",
    )  # fmt: skip
    manifest = Manifest(
        capacity=20, storage="shards", encoder=None, options={},
        samples_read=totals["read"], samples_packed=totals["packed"],
        samples_rejected=totals["rejected"], rejects=dict(reasons), duplicate_ids=0,
        packs=1, tokens=10, images=1, efficiency=0.5, lower_bound=1, gap=0.0,
        sources=entries, shards=[shard], rejects_sha256="", encoder_sha256={},
    )  # fmt: skip
    return PackReport(manifest=manifest, fill_packs=None, seconds=1.0, was_complete=was_complete)


def rows_of(text):
    cells = (line.strip("│ ").split("│") for line in text.splitlines() if line.startswith("│"))
    return [[cell.strip() for cell in row] for row in cells]


def test_missing_images_are_shown_by_source(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "120")
    rejects = [
        {"source": "a.json", "position": number, "reason": reason, "detail": f"{reason} {number}"}
        for number, reason in enumerate(["empty_text", "missing_image"] * 2 + ["invalid_sample"])
    ]
    lines = "".join(json.dumps(reject) + "\n" for reject in rejects)
    (tmp_path / "rejects.jsonl").write_text(lines)
    show_report(
        report(
            ("a.json", 12_000, {"missing_image": 1_500, "empty_text": 2}),
            ("b.tar", 40, {}),
            ("c.csv", 10, {"invalid_sample": 3}),
        ),
        tmp_path,
    )
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("source", "read", "packed", "rejected", "missing images"))
    assert rows_of(shown) == [
        ["a.json", "12,000", "10,498", "1,502", "1,500"],
        ["c.csv", "10", "7", "3", "0"],
    ]
    # The first of each reason.
    assert "empty_text, for example a.json, record 0: empty_text 0" in shown
    assert "missing_image, for example a.json, record 1: missing_image 1" in shown
    assert "invalid_sample, for example a.json, record 4: invalid_sample 4" in shown


@pytest.mark.parametrize("sources", [(), (("a.json", 5, {}),)])
def test_without_rejects_there_is_no_such_table(capsys, sources):
    show_report(report(*sources), Path("packs"))
    assert "missing images" not in capsys.readouterr().out


@pytest.mark.parametrize("was_complete", [False, True])
def test_a_set_that_was_complete_is_said_to_be(capsys, was_complete):
    show_report(report(("a.json", 5, {}), was_complete=was_complete), Path("packs"))
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("already complete: packs holds") is was_complete
