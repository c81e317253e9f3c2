import importlib
import inspect
import pkgutil
from types import SimpleNamespace

import pytest

from packkit.base.errors import InputError
from packkit.sources import registry
from packkit.sources.base import Container, Layout, is_staged
from packkit.sources.containers.json_lines import JsonLines
from packkit.sources.registry import (
    CONTAINERS,
    LAYOUTS,
    container_named,
    installed_containers,
    installed_layouts,
    layout_named,
)


def test_everything_of_our_own_is_installed():
    assert list(installed_containers()) == [
        "arrow",
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
        "tsv",
    ]
    assert list(installed_layouts()) == [
        "caption",
        "cauldron",
        "figure-captions",
        "llava",
        "medpix",
        "messages",
        "mmc4",
        "obelics",
        "open-qwen2vl",
        "packkit",
        "pmc-vqa",
        "prompt",
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
    assert is_staged(container) == container.staged == hasattr(container, "stage")
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


@pytest.mark.parametrize(("folder", "table"), [("containers", CONTAINERS), ("layouts", LAYOUTS)])
def test_every_class_of_ours_stands_in_its_table(folder, table):
    package = importlib.import_module(f"packkit.sources.{folder}")
    names = [
        f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)
    ]
    classes = {
        thing
        for name in names
        for thing in vars(importlib.import_module(name)).values()
        if inspect.isclass(thing) and thing.__module__ == name and hasattr(thing, "name")
    }
    assert set(table) == classes
    assert len(table) == len(classes)


@pytest.fixture
def install(monkeypatch):
    """Installs classes as another package does, besides those of the table."""

    def entry_points_of(*classes):
        entries = [SimpleNamespace(load=lambda kind=kind: kind) for kind in classes]
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        installed_layouts.cache_clear()
        installed_containers.cache_clear()

    yield entry_points_of
    installed_layouts.cache_clear()
    installed_containers.cache_clear()


def test_a_third_party_adds_a_layout(install):
    install(type("Coco", (), {"name": "coco", "roles": ()}))
    names = [*(layout.name for layout in LAYOUTS), "coco"]
    assert list(installed_layouts()) == sorted(names)


def test_a_third_party_adds_a_container(install):
    """It may have a `stage` that is never called: only `staged` decides."""

    class Zip(JsonLines):
        name = "zip"
        suffixes = (".zip",)

        def stage(self, path, copy):
            raise NotImplementedError

    install(Zip)
    assert list(installed_containers())[-1] == "zip"
    assert not is_staged(container_named("zip"))


def test_two_of_one_name_are_an_error_that_names_both(install):
    class Llava:
        name = "llava"
        roles = ()

    message = (
        r"packkit\.sources\.layouts\.conversations\.LlavaLayout and .*Llava are both called 'llava'"
    )
    install(Llava)
    with pytest.raises(InputError, match=message):
        installed_layouts()
    other = type("Coco", (), {"name": "coco", "roles": ()})
    install(other, type("Other", (), {"name": "coco", "roles": ()}))
    with pytest.raises(InputError, match=r"Coco and .*Other are both called 'coco'"):
        installed_layouts()
    install(type("Lines", (JsonLines,), {}))
    with pytest.raises(InputError, match=r"JsonLines and .*Lines are both called 'jsonl'"):
        installed_containers()


def test_the_same_class_twice_is_no_clash(install):
    install(*LAYOUTS)
    assert list(installed_layouts().values()) == list(LAYOUTS)
    install(*CONTAINERS)
    assert {type(container) for container in installed_containers().values()} == set(CONTAINERS)
