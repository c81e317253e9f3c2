"""What a person writes into a TOML file is refused by key, rule, value and place."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from packkit.base.checked_toml import check_tables, read_tables
from packkit.base.errors import InputError


@dataclass
class Oven:
    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    heat: int
    kind: Literal["gas", "wood"] = "gas"
    door: int | str = 0

    def __post_init__(self):
        if self.heat > 300:
            raise ValueError(f"heat must be at most 300, got {self.heat}")


@dataclass
class Kitchen:
    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    oven: Oven
    cooks: list[str] = field(default_factory=list)


def checked(tables):
    return check_tables(Kitchen, tables, "kitchen.toml", extra="mix")


def test_tables_become_dataclasses():
    tables = {"oven": {"heat": 200, "kind": "wood", "door": "left"}, "cooks": ["Ada"]}
    assert checked(tables) == Kitchen(Oven(200, "wood", "left"), ["Ada"])
    assert checked({"oven": {"heat": 200}}) == Kitchen(Oven(200))


@pytest.mark.parametrize(
    ("tables", "detail"),
    [
        ({}, "oven is missing"),
        ({"oven": {}}, "oven.heat is missing"),
        ({"oven": {"heat": 1}, "sink": 2}, "sink is no key of a recipe"),
        ({"oven": {"heat": 1, "lamp": 2}}, "oven.lamp is no key of a recipe"),
        ({"oven": {"heat": "hot"}}, "oven.heat must be a valid integer, got 'hot'"),
        ({"oven": {"heat": 1, "kind": "gold"}}, "oven.kind must be 'gas' or 'wood', got 'gold'"),
        (
            {"oven": {"heat": 1, "door": 0.5}},
            "oven.door must be a valid integer, or a valid string, got 0.5",
        ),
        ({"oven": {"heat": 301}}, "oven.heat must be at most 300, got 301"),
        ({"oven": {"heat": 1}, "cooks": 2}, "cooks must be a valid array, got 2"),
        ({"oven": {}, "sink": 2}, "oven.heat is missing; sink is no key of a recipe"),
    ],
)
def test_a_key_is_refused_by_name_rule_value_and_place(tables, detail):
    with pytest.raises(InputError) as caught:
        checked(tables)
    assert str(caught.value) == f"kitchen.toml: {detail}"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "kitchen.toml"
    with pytest.raises(InputError, match=r"kitchen\.toml: cannot read it: No such file"):
        read_tables(path)
    for text in (b"oven = ", b"oven = '\xff'"):
        path.write_bytes(text)
        with pytest.raises(InputError, match=r"kitchen\.toml: not TOML: "):
            read_tables(path)
    path.write_text("[oven]\nheat = 3")
    assert read_tables(path) == {"oven": {"heat": 3}}
