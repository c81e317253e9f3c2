"""What the fields of manifest.json must be, whoever wrote them.

A checksum shows that a file is as it was written, not that its writer meant well: no name may lead
out of the set, and no count may be of another kind than a count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from packkit.base.values import LARGEST_COUNT, is_whole, shown


class Rule(NamedTuple):
    """What a field must be.

    Attributes:
        text: The rule in words.
        holds: Function that says whether a value keeps the rule.
    """

    text: str
    holds: Callable[[Any], bool]


def _is_count(value: object) -> bool:
    return is_whole(value, 0, LARGEST_COUNT)


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _is_source(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("name"), str)
        and _is_count(value.get("read"))
    )


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _object(key: Callable[[Any], bool], value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda mapping: (
        isinstance(mapping, Mapping)
        and all(key(name) and value(entry) for name, entry in mapping.items())
    )


_is_sha256 = _matches("[0-9a-f]{64}")

COUNT = Rule(f"a whole number in 0..{LARGEST_COUNT}", _is_count)
OBJECT = Rule("an object", lambda value: isinstance(value, Mapping))
_SHA256 = Rule("64 hexadecimal digits", _is_sha256)
_NUMBER = Rule("a finite number", _is_finite)

SHARD_RULES: dict[str, Rule] = {
    # Nothing else can be taken for a path that leads out of the set.
    "name": Rule('like "shard-00000"', _matches(r"shard-\d{5,19}")),
    **dict.fromkeys(("packs", "samples", "images", "tokens", "bytes"), COUNT),
    "sha256": _SHA256,
    "index_checksum": Rule("16 hexadecimal digits", _matches("[0-9a-f]{16}")),
}
"""Rules of a shard's entry, by field."""

MANIFEST_RULES: dict[str, Rule] = {
    "capacity": Rule(
        f"a whole number in 1..{LARGEST_COUNT}", lambda value: is_whole(value, 1, LARGEST_COUNT)
    ),
    "storage": Rule("shards or files", lambda value: value in ("shards", "files")),
    "encoder": Rule("an object or null", lambda value: value is None or isinstance(value, Mapping)),
    "options": OBJECT,
    **dict.fromkeys(("samples_read", "samples_packed", "samples_rejected", "duplicate_ids"), COUNT),
    "rejects": Rule("an object of counts", _object(lambda name: isinstance(name, str), _is_count)),
    **dict.fromkeys(("packs", "tokens", "images", "lower_bound"), COUNT),
    **dict.fromkeys(("efficiency", "gap"), _NUMBER),
    "sources": Rule(
        "a list of objects with a name and the number read",
        lambda value: isinstance(value, list) and all(map(_is_source, value)),
    ),
    "shards": Rule("a list", lambda value: isinstance(value, list)),
    "rejects_sha256": _SHA256,
    "encoder_sha256": Rule(
        'an object from names like "encoder/tokenizer.json" to 64 hexadecimal digits each',
        _object(_matches(r"encoder/\w[\w.-]*\.json"), _is_sha256),
    ),
}
"""Rules of the manifest, by field."""


def broken_rule(fields: object, rules: Mapping[str, Rule]) -> str | None:
    """Returns which field breaks its rule, and with what value; None where all are kept.

    Args:
        fields: JSON object that has the fields and no others.
        rules: Rule of each field.
    """
    if not isinstance(fields, Mapping):
        return f"must be an object, got {shown(fields)}"
    if missing := rules.keys() - fields.keys():
        return f"{min(missing)} is missing"
    if unknown := fields.keys() - rules.keys():
        return f"{shown(min(unknown))} is no field"
    for name, rule in rules.items():
        if not rule.holds(fields[name]):
            return f"{name} must be {rule.text}, got {shown(fields[name])}"
    return None
