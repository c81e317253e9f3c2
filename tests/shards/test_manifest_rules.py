"""What the fields of a manifest must be."""

import pytest

from packkit.shards import manifest
from packkit.shards.manifest_rules import (
    MANIFEST_RULES,
    SHARD_RULES,
    broken_rule,
    is_whole,
    shown,
)


def test_every_field_has_a_rule():
    assert sorted(MANIFEST_RULES) == sorted(manifest.Manifest.__slots__)
    assert sorted(SHARD_RULES) == sorted(manifest.ShardEntry.__slots__)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, 4, 10**20, float("nan"), [1]])
def test_only_whole_numbers_inside_their_bounds_are_whole(value):
    assert not is_whole(value, 0, 3)
    assert is_whole(3, 0, 3)


def test_the_first_broken_rule_is_named():
    rules = {"bytes": SHARD_RULES["bytes"], "sha256": SHARD_RULES["sha256"]}
    fields = {"bytes": 5, "sha256": "0" * 64}
    assert broken_rule(fields, rules) is None
    assert broken_rule({**fields, "bytes": -5}, rules) == (
        "bytes must be a whole number in 0..9007199254740991, got -5"
    )
    assert broken_rule({"bytes": 5}, rules) == "sha256 is missing"
    assert broken_rule({**fields, "x": 5}, rules) == "'x' is no field"
    assert broken_rule([], rules) == "must be an object, got []"


def test_long_and_deep_values_are_cut():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert len(shown("x" * 10_000)) < 210
    assert "nested too deeply" in shown(deep)
