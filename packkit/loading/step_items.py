"""What belongs to one step of one rank, as a list that says which step it is.

A ``DataLoader`` hands the list of a batch sampler to its dataset, and what the dataset makes of it
to the collator, in a worker process too. So a batch knows its step, whichever way it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from packkit.loading.cursor import Cursor

_Item = TypeVar("_Item")


class StepItems(list[_Item]):
    """The packs of a step of one rank, by number or loaded.

    Args:
        items: The packs.
        start: Where the step begins.
        state: State of the loader once the step is consumed.

    Attributes:
        start: Where the step begins.
        state: State of the loader once the step is consumed.
    """

    # Pickle makes the list first, and sets the attributes after that.
    def __init__(self, items: Iterable[_Item], start: Cursor, state: dict[str, Any]) -> None:
        super().__init__(items)
        self.start = start
        self.state = state
