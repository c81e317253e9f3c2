"""The manifest: a pure function of its fields, that notices every change."""

import dataclasses

import numpy as np
import orjson
import pytest

from packkit.base.errors import ChecksumError, FormatError
from packkit.shards import MANIFEST, Manifest

_TOTALS = ["samples_read", "samples_packed", "samples_rejected", "packs", "tokens"]


def test_it_comes_back_from_its_bytes(whole_set):
    data = whole_set.manifest.to_json()
    read = Manifest.from_json(data)
    assert read.to_json() == data
    assert read.shards == whole_set.manifest.shards
    assert read.samples_read == read.samples_packed + read.samples_rejected
    assert read == Manifest.read(whole_set.path)


def test_its_bytes_do_not_depend_on_the_order_of_keys(whole_set):
    manifest = whole_set.manifest
    options = dataclasses.replace(manifest, options={"b": 1, "a": 2})
    swapped = dataclasses.replace(manifest, options={"a": 2, "b": 1})
    assert options.to_json() == swapped.to_json()


@pytest.mark.parametrize("name", _TOTALS)
def test_counts_that_contradict_one_another_are_refused(whole_set, name):
    with pytest.raises(FormatError, match=r"is \d+"):
        dataclasses.replace(whole_set.manifest, **{name: getattr(whole_set.manifest, name) + 1})


def test_every_flip_of_a_bit_is_noticed(whole_set):
    data = whole_set.manifest.to_json()
    bits = np.random.default_rng(0).integers(8, size=len(data))
    for position, bit in enumerate(bits.tolist()):
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit
        with pytest.raises(FormatError):
            Manifest.from_json(bytes(damaged))


def test_another_layout_of_the_same_json_is_noticed(whole_set):
    record = orjson.loads(whole_set.manifest.to_json())
    with pytest.raises(ChecksumError, match="not what was written"):
        Manifest.from_json(orjson.dumps(record))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"format": "mds"}, 'format must be "packkit"'),
        ({"format_version": 1}, "format_version must be 2, got 1: pack the data again"),
        ({"format_version": None}, "format_version must be 2, got None"),
        ({"shards": None}, "does not describe"),
        ({"capacity": ...}, "capacity"),
        ({"checksum": ...}, "not what was written"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(whole_set, change, rule):
    record = orjson.loads(whole_set.manifest.to_json()) | change
    record = {key: value for key, value in record.items() if value is not ...}
    with pytest.raises(FormatError, match=rule) as caught:
        Manifest.from_json(orjson.dumps(record), "packs/manifest.json")
    assert str(caught.value).startswith("packs/manifest.json: ")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"null"])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(FormatError):
        Manifest.from_json(data)


def test_a_set_without_one_is_not_whole(whole_set):
    (whole_set.path / MANIFEST).unlink()
    with pytest.raises(FormatError, match="not whole"):
        Manifest.read(whole_set.path)
