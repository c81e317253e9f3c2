"""Where samples come from: files found, staged where needed, and told apart."""

from packkit.sources.base import Container, Fields, Layout, Record, Span, StagedContainer, too_large
from packkit.sources.discover import InputFile, find_inputs
from packkit.sources.registry import (
    container_named,
    installed_containers,
    installed_layouts,
    layout_named,
)
from packkit.sources.samples import SampleReader, read_samples
from packkit.sources.source import Source, open_source

__all__ = [
    "Container",
    "Fields",
    "InputFile",
    "Layout",
    "Record",
    "SampleReader",
    "Source",
    "Span",
    "StagedContainer",
    "container_named",
    "find_inputs",
    "installed_containers",
    "installed_layouts",
    "layout_named",
    "open_source",
    "read_samples",
    "too_large",
]
