"""How records lie in files of medical data sets that no general container reads."""

from __future__ import annotations

from typing import ClassVar

from packkit.sources.containers.json_array import JsonSplits


class LlavaMedDomains(JsonSplits):
    """LLaVA-Med's captions: one JSON object with an array of records for each domain."""

    name: ClassVar[str] = "llava-med-domains"
    first_keys: ClassVar[tuple[str, ...]] = ("chest_xray", "mri", "histology", "gross", "ct_scan")
