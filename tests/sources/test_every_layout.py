"""Legal records of every layout come out as they are, and one key renamed is never silent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_records import LAYOUTS, Legal, files_of, trained

from packkit.base.errors import SampleError
from packkit.sources.registry import LAYOUTS as OWN_LAYOUTS
from packkit.sources.registry import installed_layouts


def test_every_layout_is_tried():
    assert {kind.name for kind in OWN_LAYOUTS} == LAYOUTS.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_what_is_trained_comes_out_as_it_went_in(read, root, layout, data):
    fields, expected = LAYOUTS[layout](Legal(data.draw, files_of(root)))
    assert trained(read(fields, layout)) == expected


def paths_of(value, path=()):
    """Where each key of a record stands, those of its turns and parts too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths_of(inner, (*path, number))


def renamed(value, path, name):
    """A record with one key called otherwise, in its place: the first key may tell a turn."""
    step, *further = path
    if isinstance(value, list):
        inner = renamed(value[step], further, name)
        return [*value[:step], inner, *value[step + 1 :]]
    if further:
        return {**value, step: renamed(value[step], further, name)}
    return {name if key == step else key: inner for key, inner in value.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
@settings(deadline=None)
def test_any_one_key_renamed_never_trains_anything_else(read, root, layout, data):
    fields, expected = LAYOUTS[layout](Legal(data.draw, files_of(root)))
    paths = [path for path in paths_of(fields) if path[-1] not in ("__key__", "id")]
    path = data.draw(st.sampled_from(paths))
    name = data.draw(st.sampled_from(["{}_x", "my_{}", "{}2"])).format(path[-1])
    changed = renamed(fields, path, name)
    fitting = {kind.name for kind in installed_layouts().values() if kind({}).matches(changed)}
    for other in {layout, *fitting}:
        try:
            sample = read(changed, other)
        except SampleError:
            continue
        assert trained(sample) == expected, (path, name, other)
