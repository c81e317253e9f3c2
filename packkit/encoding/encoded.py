"""Encoded samples: one as it will be trained, and many while they are put together."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import RejectReason, SampleError

IGNORED = -100
"""Label of a token that the loss leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSample:
    """A sample as it will be trained.

    Its arrays are views of those of its whole batch, which live as long as one of them.

    Attributes:
        input_ids: int32 [L], token ids.
        labels: int32 [L], unshifted; -100 where a token is not trained.
        image_slots: int32 [M, 2], first token and number of tokens of each image kept; these are
            always the first M images of the sample.
    """

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    image_slots: NDArray[np.int32]

    @property
    def length(self) -> int:
        """Tokens of the sample, L."""
        return len(self.input_ids)


class EncodedBatch:
    """The samples of a batch end to end.

    An encoder fills it sample by sample; `samples` then makes the labels of all of them at once
    and takes them apart again.

    Attributes:
        ids: Token ids of all samples.
        slots: First token within its sample and number of tokens of each image, in turn.
        trained_bounds: Start and end in `ids` of each stretch that is trained, in turn.
    """

    def __init__(self) -> None:
        # Unsigned: arrays of C ints and those of numpy take three times as long to fill from lists.
        self.ids, self.slots = array("I"), array("I")
        self.trained_bounds = array("q")
        self._ends, self._slot_ends = [0], [0]

    def end_sample(self) -> None:
        """Ends a sample: ids and slots added from here on belong to the next."""
        self._ends.append(len(self.ids))
        self._slot_ends.append(len(self.slots) // 2)

    @property
    def input_ids(self) -> NDArray[np.int32]:
        """View of the ids, int32 [tokens]; nothing can be added while it lives."""
        return np.asarray(self.ids).view(np.int32)

    @property
    def image_slots(self) -> NDArray[np.int32]:
        """View of the slots, int32 [images, 2]; nothing can be added while it lives."""
        return np.asarray(self.slots).view(np.int32).reshape(-1, 2)

    def samples(self, limits: Sequence[int | None]) -> Iterator[EncodedSample | SampleError]:
        """Yields each sample in order, or why it cannot be trained on.

        Args:
            limits: Tokens at which each sample is cut; None leaves it whole.
        """
        input_ids, slots = self.input_ids, self.image_slots
        runs = np.diff(self.trained_bounds, prepend=0, append=len(input_ids))
        is_trained = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        labels = np.where(is_trained, input_ids, IGNORED)
        labels[self._ends[:-1]] = IGNORED
        has_targets = np.logical_or.reduceat(labels != IGNORED, self._ends[:-1]).tolist()
        places = zip(
            pairwise(self._ends), pairwise(self._slot_ends), limits, has_targets, strict=True
        )
        for (start, end), (first_slot, last_slot), limit, has_target in places:
            sample = EncodedSample(
                input_ids[start:end], labels[start:end], slots[first_slot:last_slot]
            )
            if limit is not None and limit < end - start:
                sample = _cut(sample, limit)
                has_target = bool((sample.labels != IGNORED).any())
            yield sample if has_target else _no_targets(limit)


def _cut(sample: EncodedSample, limit: int) -> EncodedSample:
    """Returns the first `limit` tokens, less those from the first image that would be split."""
    slots = sample.image_slots
    kept = int(np.searchsorted(slots.sum(axis=1), limit, side="right"))
    if kept < len(slots):
        limit = min(limit, int(slots[kept, 0]))
    return EncodedSample(sample.input_ids[:limit], sample.labels[:limit], slots[:kept])


def _no_targets(limit: int | None) -> SampleError:
    within = "" if limit is None else f" within token_limit {limit}"
    return SampleError(RejectReason.NO_TARGETS, f"no token of it is trained{within}")
