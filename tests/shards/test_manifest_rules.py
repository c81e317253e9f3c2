"""What the fields of a manifest must be."""

from packkit.shards import manifest
from packkit.shards.manifest_rules import MANIFEST_RULES, SHARD_RULES, broken_rule


def test_every_field_has_a_rule():
    assert sorted(MANIFEST_RULES) == sorted(manifest.Manifest.__slots__)
    assert sorted(SHARD_RULES) == sorted(manifest.ShardEntry.__slots__)


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
