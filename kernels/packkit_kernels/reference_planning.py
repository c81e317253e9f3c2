"""First-Fit-Decreasing as its definition reads: the naive twin of `packkit_kernels.ffd`."""

from __future__ import annotations

from collections.abc import Sequence


def first_fit_decreasing(
    lengths: Sequence[int],
    capacity: int,
    images: Sequence[int] | None = None,
    max_images: int | None = None,
    max_samples: int | None = None,
) -> list[list[int]]:
    """Puts one sample after another into the first bin that has room for it.

    Longer samples come first; where images are limited, of equal lengths those with more images.
    Cost: O(samples x bins).

    Args:
        lengths: Tokens of each sample.
        capacity: Tokens that a bin holds at most.
        images: Images of each sample; needed where they are limited.
        max_images: Images that a bin holds at most.
        max_samples: Samples that a bin holds at most.

    Returns:
        The bins, each a list of samples in the order in which they were placed.

    >>> first_fit_decreasing([3, 5, 4, 2], capacity=8)
    [[1, 0], [2, 3]]
    """
    weights = [0] * len(lengths) if images is None or max_images is None else images
    order = sorted(range(len(lengths)), key=lambda sample: (-lengths[sample], -weights[sample]))
    bins: list[list[int]] = []
    rooms: list[tuple[int, int, int]] = []
    for sample in order:
        need = lengths[sample], weights[sample], 1
        fitting = (
            number
            for number, room in enumerate(rooms)
            if all(some <= most for some, most in zip(need, room, strict=True))
        )
        number = next(fitting, len(bins))
        if number == len(bins):
            bins.append([])
            rooms.append((capacity, max_images or 0, max_samples or len(lengths)))
        bins[number].append(sample)
        tokens, room_for_images, room_for_samples = rooms[number]
        rooms[number] = (tokens - need[0], room_for_images - need[1], room_for_samples - 1)
    return bins
