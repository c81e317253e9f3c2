import pytest

from packkit.base.errors import InputError
from packkit.sources import registry
from packkit.sources.base import Container, Layout
from packkit.sources.registry import (
    container_named,
    installed_containers,
    installed_layouts,
    layout_named,
)


def test_everything_of_our_own_is_installed():
    assert list(installed_containers()) == [
        "csv",
        "json-array",
        "json-object",
        "json-splits",
        "jsonl",
        "llava-med-domains",
        "pack-file",
        "pack-lines",
        "parquet",
        "pipe-lines",
        "tar",
    ]
    assert list(installed_layouts()) == [
        "caption",
        "figure-captions",
        "llava",
        "medpix",
        "mmc4",
        "obelics",
        "open-qwen2vl",
        "packkit",
        "pmc-vqa",
        "r2gen",
        "slake",
        "vqa",
        "vqa-med",
        "webdataset",
    ]


@pytest.mark.parametrize("name", installed_containers())
def test_containers_keep_the_protocol(name):
    container: Container = container_named(name)
    assert container.name == name
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in container.suffixes)
    assert isinstance(container.staged, bool)
    assert isinstance(container.in_folders, bool)


def test_no_ending_belongs_to_two_containers():
    suffixes = [suffix for c in installed_containers().values() for suffix in c.suffixes]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", installed_layouts())
def test_layouts_keep_the_protocol(name):
    layout: Layout = layout_named(name, {})
    assert layout.name == name
    assert not layout.matches({})
    assert layout_named(name, dict.fromkeys(layout.roles, "x")).name == name


def test_names_of_nothing():
    with pytest.raises(InputError, match=r"no container 'zip' is installed; there are .*jsonl"):
        container_named("zip")
    with pytest.raises(InputError, match=r"no layout 'coco' is installed; there are .*llava"):
        layout_named("coco", {})


def test_columns_that_a_layout_does_not_have():
    with pytest.raises(InputError, match="caption has no column 'report'; it has: image, text"):
        layout_named("caption", {"report": "x"})
    with pytest.raises(InputError, match="llava has no column 'text'; it has: none"):
        layout_named("llava", {"text": "x"})


def test_a_third_party_adds_a_layout(monkeypatch):
    class Entry:
        @staticmethod
        def load():
            return type("Csv", (), {"name": "csv", "roles": ()})

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()])
    installed_layouts.cache_clear()
    try:
        assert list(installed_layouts()) == ["csv"]
    finally:
        installed_layouts.cache_clear()
