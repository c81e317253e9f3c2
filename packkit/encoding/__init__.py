"""Samples to ids: the length contract."""

from packkit.encoding.encoder import ENCODING_VERSION, IGNORED, EncodedSample, SampleEncoder

__all__ = ["ENCODING_VERSION", "IGNORED", "EncodedSample", "SampleEncoder"]
