"""How far training has come: in which epoch, after how many steps, at which place of its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from packkit.base.errors import InputError
from packkit.loading.options import Tail

STATE_VERSION = 1
"""Raised when the same state would lead to other packs."""


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
    if state.get("version") != STATE_VERSION:
        raise InputError(f"state must have version {STATE_VERSION}, got {state.get('version')}")
    if missing := {"fingerprint", *Cursor._fields} - state.keys():
        raise InputError(f"state must hold {sorted(missing)[0]}, has {sorted(state)}")
    return Cursor(*(int(state[name]) for name in Cursor._fields))
