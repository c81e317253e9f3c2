"""Samples and packs: what makes one legal, its canonical JSON, what tells samples apart."""

from packkit.samples.sample import ROLES, Message, Pack, Sample
from packkit.samples.sample_json import Content, Origin

__all__ = ["ROLES", "Content", "Message", "Origin", "Pack", "Sample"]
