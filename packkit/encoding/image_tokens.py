"""How many tokens an image takes, as a policy of its size.

A policy is any ``(width, height) -> int`` with a `spec`, so that an encoder for models of native
resolution needs no other form of packs. Sizes are read from the headers of the images, and only
where the policy asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from packkit.base.errors import InputError
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import check_whole
from packkit.images import image_size
from packkit.samples import Sample

ImageSizes = Sequence[tuple[int, int]]
"""Width and height of every image of a sample as displayed, pixels."""


class ImagePolicy(Protocol):
    """How many tokens an image takes: ``(width, height) -> int``."""

    @property
    def spec(self) -> str:
        """Names the policy and its settings: equal specs must give equal numbers."""

    def __call__(self, width: int, height: int) -> int:
        """Returns the tokens, at least 1, of an image of this size as displayed, pixels."""


@dataclass(frozen=True, slots=True)
class FixedImageTokens:
    """Every image takes the same number of tokens.

    Attributes:
        tokens: Number of tokens of every image.

    Raises:
        InputError: `tokens` is not in 1..`LARGEST_CAPACITY`.

    >>> FixedImageTokens(144).spec, FixedImageTokens(144)(640, 480)
    ('fixed:144', 144)
    """

    tokens: int

    def __post_init__(self) -> None:
        check_whole("image_tokens", self.tokens, 1, LARGEST_CAPACITY)

    @property
    def spec(self) -> str:
        """The policy as text, for example ``fixed:144``."""
        return f"fixed:{self.tokens}"

    def __call__(self, width: int, height: int) -> int:
        """Returns the number of tokens, whatever the size of the image."""
        return self.tokens


def image_policy(spec: int | str | ImagePolicy) -> ImagePolicy:
    """Returns the policy that a user names.

    Args:
        spec: Tokens of every image, also as ``"fixed:144"``, or a policy, which is returned.

    Raises:
        InputError: `spec` is neither a number of tokens nor a policy.

    >>> image_policy(144) == image_policy("fixed:144")
    True
    """
    if isinstance(spec, str):
        if match := re.fullmatch("(?:fixed:)?([0-9]{1,4000})", spec):
            return FixedImageTokens(int(match[1]))
    elif isinstance(spec, int):
        if not isinstance(spec, bool):
            return FixedImageTokens(spec)
    elif callable(spec) and isinstance(getattr(spec, "spec", None), str):
        return spec
    raise InputError(f"image_tokens must be a number, 'fixed:NUMBER' or a policy, got {spec!r}")


def count_image_tokens(
    policy: ImagePolicy, sample: Sample, sizes: ImageSizes | None = None
) -> list[int]:
    """Returns the number of tokens of each image of a sample.

    Args:
        policy: Image policy that gives the numbers.
        sample: The sample; its images are read only if the policy needs sizes that are not given.
        sizes: Width and height of each image, pixels, where they are known already.

    Raises:
        SampleError: An image cannot be read.
        InputError: `sizes` is not as long as the images, or the policy gives less than 1.
    """
    if isinstance(policy, FixedImageTokens):
        return [policy.tokens] * len(sample.images)
    if sizes is None:
        sizes = [image_size(image) for image in sample.images]
    if len(sizes) != len(sample.images):
        raise InputError(f"{len(sizes)} image sizes for {len(sample.images)} images")
    return [_checked(policy, width, height) for width, height in sizes]


def _checked(policy: ImagePolicy, width: int, height: int) -> int:
    tokens = policy(width, height)
    if tokens < 1:
        raise InputError(
            f"image policy {policy.spec} must give at least 1 token, "
            f"got {tokens} for {width} x {height} pixels"
        )
    return tokens
