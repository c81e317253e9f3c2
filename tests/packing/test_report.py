"""A report says what its manifest says, and what only the run knows."""

import json
import pickle
from dataclasses import fields

import pytest

from packkit.packing import PackReport
from packkit.shards import Manifest, ShardEntry

KEYS = [
    *("samples_read", "samples_packed", "samples_rejected", "rejects", "sources"),
    *("duplicate_ids", "packs", "tokens", "images", "efficiency", "lower_bound", "gap"),
    *("fill_packs", "shards", "bytes", "unread_bytes", "seconds", "was_complete", "redone"),
]


@pytest.fixture
def report():
    shards = [
        ShardEntry(
            name=f"shard-{number:05d}",
            packs=2,
            samples=3,
            images=1,
            tokens=50,
            bytes=100 + number,
            sha256="",
            index_checksum="",
        )
        for number in range(2)
    ]
    manifest = Manifest(
        capacity=32, storage="shards", encoder=None, options={}, samples_read=8, samples_packed=6,
        samples_rejected=2, rejects={"empty_text": 2}, duplicate_ids=1, packs=4, tokens=100,
        images=2, efficiency=0.78125, lower_bound=3, gap=1 / 3,
        sources=[{"name": "a.jsonl", "unread_bytes": 7}],
        shards=shards, rejects_sha256="", encoder_sha256={},
    )  # fmt: skip
    return PackReport(manifest=manifest, fill_packs=3, seconds=1.5)


def test_every_figure_that_the_manifest_has_too_is_the_same(report):
    shared = {field.name for field in fields(Manifest)} & set(KEYS) - {"shards"}
    assert len(shared) == 12
    for name in shared:
        assert getattr(report, name) == getattr(report.manifest, name)
    assert (report.shards, report.bytes) == (2, 201)
    assert (report.fill_packs, report.seconds, report.was_complete) == (3, 1.5, False)


def test_json_has_every_figure_under_its_name(report):
    data = report.to_dict()
    assert list(data) == KEYS
    assert json.loads(json.dumps(data)) == {name: getattr(report, name) for name in KEYS}


def test_unread_bytes_are_those_of_all_sources(report):
    assert report.unread_bytes == 7


def test_reports_travel_between_processes(report):
    assert pickle.loads(pickle.dumps(report)) == report


def test_figures_cannot_be_set(report):
    with pytest.raises((AttributeError, TypeError)):
        report.packs = 5
