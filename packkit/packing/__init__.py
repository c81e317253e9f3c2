"""The main job of packkit: image-text data in, dense packs out."""

from packkit.packing.config import PackConfig
from packkit.packing.job import pack
from packkit.packing.report import PackRejectRateError, PackReport

__all__ = ["PackConfig", "PackRejectRateError", "PackReport", "pack"]
