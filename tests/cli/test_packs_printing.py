"""What the command line says of a packing run."""

from pathlib import Path

import pytest

from packkit.cli.packs_printing import show_report
from packkit.packing import PackReport


def report(*sources):
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
    return PackReport(
        samples_read=totals["read"],
        samples_packed=totals["packed"],
        samples_rejected=totals["rejected"],
        rejects={},
        sources=entries,
        duplicate_ids=0,
        packs=1,
        tokens=10,
        images=1,
        efficiency=0.5,
        lower_bound=1,
        gap=0.0,
        fill_packs=None,
        shards=1,
        bytes=100,
        seconds=1.0,
    )


def rows_of(text):
    cells = (line.strip("│ ").split("│") for line in text.splitlines() if line.startswith("│"))
    return [[cell.strip() for cell in row] for row in cells]


def test_missing_images_are_shown_by_source(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    show_report(
        report(
            ("a.json", 12_000, {"missing_image": 1_500, "empty_text": 2}),
            ("b.tar", 40, {}),
            ("c.csv", 10, {"invalid_sample": 3}),
        ),
        Path("packs"),
    )
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("source", "read", "packed", "rejected", "missing images"))
    assert rows_of(shown) == [
        ["a.json", "12,000", "10,498", "1,502", "1,500"],
        ["c.csv", "10", "7", "3", "0"],
    ]


@pytest.mark.parametrize("sources", [(), (("a.json", 5, {}),)])
def test_without_rejects_there_is_no_such_table(capsys, sources):
    show_report(report(*sources), Path("packs"))
    assert "missing images" not in capsys.readouterr().out
