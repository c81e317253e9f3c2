"""One iteration: what a trainer goes through at a time, from a cursor to the end of its epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from packkit.base.errors import InputError
from packkit.base.values import shown
from packkit.loading.cursor import check_place

_Item = TypeVar("_Item")


class Iteration(Iterator[_Item]):
    """Goes through the steps of one epoch; a ``StatefulDataLoader`` can save it.

    Once the last step is handed out, the sampler stands at the beginning of the next epoch. What is
    left of an iteration that was saved then is nothing all the same, so its state names its epoch.

    Args:
        epoch: Function that returns the epoch in which the sampler stands.
        begin: Function that begins to go through the steps; called when the first is asked for.
    """

    def __init__(self, epoch: Callable[[], int], begin: Callable[[], Iterator[_Item]]) -> None:
        self._current_epoch = epoch
        self._begin = begin
        self._items: Iterator[_Item] | None = None
        # None until the first step is asked for, or a state is loaded.
        self._epoch: int | None = None

    def __next__(self) -> _Item:
        if self._items is None:
            current = self._current_epoch()
            self._items = self._begin() if self._epoch in (None, current) else iter(())
            self._epoch = current if self._epoch is None else self._epoch
        return next(self._items)

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of the epoch; None where no step was asked for."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Makes this what is left of an iteration; its sampler must stand where that one left it.

        Raises:
            InputError: The mapping is no state of an iteration.
        """
        if not isinstance(state, Mapping) or "epoch" not in state:
            raise InputError(f"the state of an iteration must hold epoch, got {shown(state)}")
        epoch = state["epoch"]
        self._epoch = None if epoch is None else check_place("epoch", epoch)
