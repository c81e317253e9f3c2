"""Samples to ids: the length contract."""

from packkit.encoding.encoded import IGNORED, EncodedSample
from packkit.encoding.encoder import ENCODING_VERSION, SampleEncoder

__all__ = ["ENCODING_VERSION", "IGNORED", "EncodedSample", "SampleEncoder"]
