"""Rules are checked key by key."""

import pytest
from review_inputs import THRESHOLD, rule_tables

from packkit.base.errors import InputError
from packkit.infimed.curation.rules import check_rules, read_rules


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (rule_tables(version=2), "version must be 1"),
        (rule_tables(minimum=3), "minimum is no key"),
        (rule_tables(min_samples=1), "min_samples must be at least 2, got 1"),
        (rule_tables(min_coverage=90), r"min_coverage must be in \[0, 1\], got 90"),
        ({**rule_tables(), "thresholds": []}, "thresholds must hold at least one"),
        (rule_tables({**THRESHOLD, "criterion": "beauty"}), "criterion must be one of accuracy"),
        (rule_tables({**THRESHOLD, "measure": "median"}), "measure"),
        (
            rule_tables({**THRESHOLD, "at_most": 4}),
            "at_least or at_most must be given, and not both",
        ),
        (
            rule_tables({"criterion": "overall", "measure": "mean"}),
            "at_least or at_most must be given",
        ),
        (rule_tables({**THRESHOLD, "at_least": 6}), r"overall mean must be in 1\.\.5, got 6"),
        (rule_tables({**THRESHOLD, "measure": "share_low"}), r"share_low must be in 0\.\.1, got 3"),
        (rule_tables({**THRESHOLD, "at_least": "3"}), "at_least"),
        (rule_tables(exclusions=[{"data_set": "a"}]), "reason"),
        (rule_tables(exclusions=[{"data_set": "a", "reason": " "}]), "reason must not be empty"),
        (rule_tables(exclusions=[{"data_set": "a", "reason": "b"}] * 2), "a is listed 2 times"),
    ],
)
def test_what_is_wrong_is_named(broken, message):
    with pytest.raises(InputError, match=message):
        check_rules(broken, "rules.toml")


def test_rules_are_read_from_a_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        'version = 1\nname = "mine"\nmin_samples = 5\nmin_coverage = 1\n'
        '[[thresholds]]\ncriterion = "accuracy"\nmeasure = "ci_low"\nat_least = 3.5\n'
    )
    assert read_rules(path).thresholds[0].text == "accuracy ci_low at least 3.5"
    with pytest.raises(InputError, match=r"none\.toml: cannot read it"):
        read_rules(tmp_path / "none.toml")
