"""The picture of a table: it can be drawn whatever results are called and lack."""

import sys

import numpy as np
import pytest
from PIL import Image
from scored_results import everywhere, scored

from packkit.base.errors import MissingExtraError
from packkit.infimed.evaluation.figure import plot_table
from packkit.infimed.evaluation.tables import Table


def drawn_texts(monkeypatch, table, path):
    """Draws a table, and returns its title and the labels of its legend."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    seen = {}
    for owner, name in ((Axes, "set_title"), (Figure, "legend")):
        draw = getattr(owner, name)

        def spy(self, *given, draw=draw, name=name, **options):
            seen[name] = given
            return draw(self, *given, **options)

        monkeypatch.setattr(owner, name, spy)
    plot_table(table, path)
    return seen["set_title"][0], seen["legend"][1]


def test_picture_grows_with_results_and_has_their_bars(tmp_path):
    sizes = []
    results = scored(tmp_path, everywhere("rrw"))
    for count in (1, 9):
        plot_table(Table([results] * count), tmp_path / f"{count}.png")
        with Image.open(tmp_path / f"{count}.png") as image:
            assert image.format == "PNG"
            sizes.append(image.size)
            colors = np.asarray(image.convert("RGB")).astype(int)
        # All but the bars is gray.
        assert (np.ptp(colors, axis=2) > 30).sum() > 10_000
    assert sizes[0][0] < sizes[1][0] and sizes[0][1] < sizes[1][1]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["_a", "b_$x_$^{", "模型"])
def test_gaps_and_names_are_no_trouble(tmp_path, monkeypatch, name):
    results = scored(tmp_path, {"slake": "rw", "mmmu": "f"}, label=name, judge="$j")
    title, labels = drawn_texts(monkeypatch, Table([results]), tmp_path / "table.png")
    assert title == "scorer strict 1 (seed 0), judge $j (prompt 1), asked by prompt 1"
    assert labels == [name]


def test_mixed_methods_are_said(tmp_path, monkeypatch):
    rows = [
        scored(tmp_path / name, everywhere("r"), label=name, scorer=name)
        for name in ("strict", "medevalkit")
    ]
    title, labels = drawn_texts(monkeypatch, Table(rows), tmp_path / "table.png")
    assert title == "mixes scorer: strict, medevalkit"
    assert labels[1].startswith("medevalkit (scorer medevalkit")


def test_missing_matplotlib_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    table = Table([scored(tmp_path, {"slake": "r"})])
    with pytest.raises(MissingExtraError, match=r"packkit\[plots\]"):
        plot_table(table, tmp_path / "table.png")


def test_bars_and_whiskers_are_those_of_the_table(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = {}
    for name in ("bar", "errorbar"):
        draw = getattr(Axes, name)

        def spy(self, *given, draw=draw, name=name, **options):
            drawn[name] = given
            return draw(self, *given, **options)

        monkeypatch.setattr(Axes, name, spy)
    table = Table([scored(tmp_path, everywhere("rwww") | {"slake": "rr"})])
    plot_table(table, tmp_path / "table.png")
    *cells, average = table.lines()
    heights = [100 * cell["accuracy"] for cell in cells]
    assert drawn["bar"][1] == pytest.approx([*heights, 100 * average["accuracy"]])
    _, middles, (below, above) = drawn["errorbar"]
    for end, sizes, sign in (("low", below, -1), ("high", above, 1)):
        ends = [middle + sign * size for middle, size in zip(middles, sizes, strict=True)]
        assert ends == pytest.approx([100 * cell[end] for cell in cells])
