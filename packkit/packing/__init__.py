"""The main job of packkit: image-text data in, dense packs out."""

from packkit.packing.config import PackConfig
from packkit.packing.job import pack
from packkit.packing.report import PackReport
from packkit.packing.run import Progress

__all__ = ["PackConfig", "PackReport", "Progress", "pack"]
