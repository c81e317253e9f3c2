"""The figure of a report can be drawn whatever the data sets are called and lack."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from review_inputs import assessment

from packkit.base.errors import MissingExtraError
from packkit.infimed.curation.figure import plot_report
from packkit.infimed.curation.quality_report import QualityReport
from packkit.infimed.curation.rules import shipped_rules
from packkit.infimed.curation.summaries import summarize
from packkit.infimed.curation.verdicts import decide


def report(names, **options):
    rows = [
        assessment(n, name, 1 + (n + number) % 5, **options)
        for number, name in enumerate(names)
        for n in range(7)
    ]
    data_sets = summarize(rows)
    return QualityReport(
        model="some/$judge$",
        prompt_version="1",
        rules="infimed",
        data_sets=data_sets,
        verdicts=[decide(data_set, shipped_rules()) for data_set in data_sets],
        agreements=[],
    )


def test_rows_of_many_data_sets_have_room(tmp_path):
    heights = []
    for count in (1, 10, 20):
        path = tmp_path / f"{count}.png"
        plot_report(report([f"data-set-number-{n}" for n in range(count)]), path)
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).min() < 100
            heights.append((count, image.height))
    # Labels of 10 points need 21 pixels at 150 dots an inch.
    assert all((b - a) / (m - n) > 40 for (n, a), (m, b) in pairwise(heights))


@pytest.mark.parametrize("options", [{"state": "refused"}, {"has_image": False}])
def test_what_is_missing_leaves_a_gap(tmp_path, options):
    plot_report(report(["a", "b_$x_$^{", "c"], **options), tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 0


def test_missing_matplotlib_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"packkit\[plots\]"):
        plot_report(report(["a"]), tmp_path / "report.png")
