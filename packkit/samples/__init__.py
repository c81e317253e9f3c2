"""What a legal sample and a legal pack are, said once."""

from packkit.samples.sample import ROLES, Message, Pack, Sample
from packkit.samples.sample_json import Content, Origin

__all__ = ["ROLES", "Content", "Message", "Origin", "Pack", "Sample"]
