"""Names and texts are shown as they are, whatever stands in them."""

import pytest

from packkit.cli.tables import show_table


@pytest.mark.parametrize("name", ["w[/b].jsonl", "train[bold].jsonl", "[red]x", "a\\[b]", "plain"])
def test_brackets_are_no_markup(capsys, name):
    show_table(f"of {name}", ("name", "n"), [(name, "1")])
    shown = capsys.readouterr().out
    assert shown.count(name) == 2
