"""The manifest: a pure function of its fields, that notices every change."""

import dataclasses

import numpy as np
import orjson
import pytest

from packkit.base.errors import ChecksumError, FormatError
from packkit.shards import MANIFEST, Manifest
from packkit.shards.manifest import with_checksum

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
        ({"shards": None}, "shards must be a list, got None"),
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


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"capacity": "4096"}, "capacity must be a whole number in 1"),
        ({"capacity": True}, "capacity must be .*, got True"),
        ({"capacity": 0}, "capacity must be .*, got 0"),
        ({"storage": "tape"}, "storage must be shards or files, got 'tape'"),
        ({"storage": ["shards"]}, "storage must be shards or files"),
        ({"encoder": 5}, "encoder must be an object or null"),
        ({"options": []}, "options must be an object"),
        ({"samples_read": -1}, "samples_read must be a whole number in 0"),
        ({"packs": "12"}, "packs must be a whole number in 0"),
        ({"packs": 12.0}, "packs must be a whole number in 0"),
        ({"images": None}, "images must be a whole number in 0"),
        ({"rejects": [1]}, "rejects must be an object of counts"),
        ({"rejects": {"overlong": -1}}, "rejects must be an object of counts"),
        ({"efficiency": "much"}, "efficiency must be a finite number"),
        ({"gap": False}, "gap must be a finite number"),
        ({"sources": {}}, "sources must be a list of objects"),
        ({"sources": [{"name": 1, "read": 0}]}, "sources must be a list of objects"),
        ({"sources": [{"name": "a", "read": 1.5}]}, "sources must be a list of objects"),
        ({"shards": {}}, "shards must be a list"),
        ({"shards": [5]}, r"shards\[0\]: must be an object, got 5"),
        ({"rejects_sha256": "ab"}, "rejects_sha256 must be 64 hexadecimal digits"),
        ({"encoder_sha256": {"/etc/passwd": "0" * 64}}, "encoder_sha256 must be an object from"),
        ({"encoder_sha256": {"encoder/../x.json": "0" * 64}}, "encoder_sha256 must be"),
        ({"encoder_sha256": {"encoder/a/b.json": "0" * 64}}, "encoder_sha256 must be"),
        ({"encoder_sha256": {"encoder/a.json": 7}}, "encoder_sha256 must be"),
    ],
)
def test_a_forged_field_is_named(whole_set, change, rule):
    record = orjson.loads(whole_set.manifest.to_json()) | change
    del record["checksum"]
    with pytest.raises(FormatError, match=rule) as caught:
        Manifest.from_json(with_checksum(record), "packs/manifest.json")
    assert str(caught.value).startswith("packs/manifest.json: ")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        (b'"capacity": 4096', b'"capacity": 1' + b"0" * 20, "capacity must be .*, got 1e"),
        (b'"gap": ', b'"gap": NaN, "x": ', "is not JSON"),
        (b'"seed": 0', b'"seed": ' + b"[" * 300 + b"]" * 300, "Recursion limit"),
        (b'"seed": 0', b'"seed": ' + b"[" * 10**5 + b"]" * 10**5, "is not JSON"),
    ],
)
def test_numbers_and_depths_that_no_writer_can_write_are_refused(whole_set, field, value, rule):
    data = whole_set.manifest.to_json()
    assert field in data
    with pytest.raises(FormatError, match=rule):
        Manifest.from_json(data.replace(field, value))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"name": name}, 'name must be like "shard-00000", got')
        for name in (
            "../x",
            "/etc/passwd",
            "a/b",
            "",
            ".",
            "shard-00000/../../x",
            "shard-1\n",
            None,
        )
    ]
    + [
        ({"name": "shard-00001"}, "name is that of another shard"),
        ({"packs": "a string"}, "packs must be a whole number"),
        ({"samples": -1}, "samples must be a whole number"),
        ({"bytes": 1.0}, "bytes must be a whole number"),
        ({"sha256": "0" * 63 + "g"}, "sha256 must be 64"),
        ({"index_checksum": 5}, "index_checksum must be 16"),
        ({"colour": "red"}, "'colour' is no field"),
        ({"tokens": ...}, "tokens is missing"),
    ],
)
def test_a_forged_shard_is_named(whole_set, change, rule):
    record = orjson.loads(whole_set.manifest.to_json())
    del record["checksum"]
    entry = record["shards"][2] | change
    record["shards"][2] = {key: value for key, value in entry.items() if value is not ...}
    with pytest.raises(FormatError, match=rf"^{MANIFEST}: shards\[2\]: {rule}"):
        Manifest.from_json(with_checksum(record))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"null"])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(FormatError):
        Manifest.from_json(data)


def test_a_set_without_one_is_not_whole(whole_set):
    (whole_set.path / MANIFEST).unlink()
    with pytest.raises(FormatError, match="not whole"):
        Manifest.read(whole_set.path)
