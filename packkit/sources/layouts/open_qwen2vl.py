"""Open-Qwen2VL's interleaved documents: ``texts[]`` and ``image_info[]`` aligned by position."""

from __future__ import annotations

from typing import ClassVar

from packkit.images import DataRoot
from packkit.samples import Sample
from packkit.samples.open_qwen2vl import is_open_qwen2vl, sample_from_open_qwen2vl
from packkit.sources.base import Fields, FixedLayout


class OpenQwen2vlLayout(FixedLayout):
    """Documents in which every position holds a text or an image, the other being null."""

    name: ClassVar[str] = "open-qwen2vl"

    def matches(self, fields: Fields) -> bool:
        """Whether there are texts and images side by side."""
        return is_open_qwen2vl(fields)

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a document.

        Raises:
            SampleError: Texts and images do not line up.
        """
        return sample_from_open_qwen2vl(fields)
