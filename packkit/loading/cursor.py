"""How far training has come: in which epoch, after how many steps, at which place of its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from packkit.base.errors import InputError
from packkit.base.values import LARGEST_COUNT, is_whole, shown
from packkit.loading.options import Tail

STATE_VERSION = 1
"""Raised when the same state would lead to other packs."""

# Places are counted from the beginning of training, and their numbers must fit in 64 bits.
LARGEST_EPOCH = (1 << 31) - 1
"""Greatest number of an epoch, which the ledger keeps in 32 bits."""

_LARGEST = {"epoch": LARGEST_EPOCH, "step": LARGEST_COUNT, "position": LARGEST_COUNT}


class Cursor(NamedTuple):
    """A place in training.

    Attributes:
        epoch: Number of the epoch, from 0.
        step: Number of steps made in the epoch.
        position: Number of places of the epoch's order that are consumed.
    """

    epoch: int
    step: int
    position: int


class Step(NamedTuple):
    """One step of one rank.

    Attributes:
        start: Where the step begins.
        end: Where training stands once the step is done, in the same epoch.
        packs: Ids of the packs of this rank; -1 for fillers.
    """

    start: Cursor
    end: Cursor
    packs: list[int]


class Steps(NamedTuple):
    """How an epoch falls into steps.

    Attributes:
        packs: Packs of an epoch.
        packs_per_step: Packs of a step, over all ranks.
        tail: ``fill``: the last step may hold fewer packs; ``drop``: these packs are left out.
    """

    packs: int
    packs_per_step: int
    tail: Tail

    def left(self, position: int) -> int:
        """Returns the steps from a position to the end of its epoch."""
        packs = self.packs - position
        if self.tail == "fill":
            return -(-packs // self.packs_per_step)
        return packs // self.packs_per_step

    def places(self, cursor: Cursor) -> range:
        """Returns the places of the order that the step at a cursor takes."""
        return range(cursor.position, min(cursor.position + self.packs_per_step, self.packs))

    def rolled(self, cursor: Cursor) -> Cursor:
        """Returns the beginning of the next epoch where no step is left in that of a cursor."""
        return cursor if self.left(cursor.position) else Cursor(cursor.epoch + 1, 0, 0)


def read_cursor(state: Mapping[str, Any]) -> Cursor:
    """Reads the cursor of what `PackSampler.state_dict` returned.

    Raises:
        InputError: The mapping is no state of a loader, or of another version.
    """
    if not isinstance(state, Mapping):
        raise InputError(f"state must be a mapping, got {shown(state)}")
    version = state.get("version")
    if not is_whole(version, STATE_VERSION, STATE_VERSION):
        raise InputError(f"state must have version {STATE_VERSION}, got {shown(version)}")
    if missing := {"fingerprint", *Cursor._fields} - state.keys():
        raise InputError(f"state must hold {min(missing)}, has {shown(list(state))}")
    return Cursor(*(check_place(name, state[name]) for name in Cursor._fields))


def check_place(name: str, value: object) -> int:
    """Returns a number of a cursor as a plain int.

    Args:
        name: Field of `Cursor` that the number is meant for.
        value: What was given for it.

    Raises:
        InputError: The value is no such number.
    """
    largest = _LARGEST[name]
    if not is_whole(value, 0, largest):
        raise InputError(
            f"{name} must stand in 0..{largest} and be a whole number, got {shown(value)}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def plain_fingerprint(fingerprint: object) -> dict[str, Any]:
    """Returns the fingerprint of a state as the JSON values that it was saved with.

    Raises:
        InputError: The fingerprint holds what no fingerprint does.
    """
    if not isinstance(fingerprint, Mapping):
        raise InputError(f"fingerprint must be a mapping, got {shown(fingerprint)}")
    try:
        plain: dict[str, Any] = orjson.loads(
            orjson.dumps(dict(fingerprint), option=orjson.OPT_SERIALIZE_NUMPY)
        )
    except TypeError as error:
        raise InputError(f"fingerprint must hold JSON values alone ({error})") from None
    return plain
