"""Every data set of the catalogue, from its files to packs."""

from collections import Counter
from pathlib import Path

import pytest
from data_sets import NAMES, VARIANTS, build

from packkit.base.errors import SampleError
from packkit.infimed.data.catalog import catalog
from packkit.packing import PackConfig, pack
from packkit.shards import Manifest, PackReader, verify_packs
from packkit.sources import container_named, find_inputs, installed_layouts, open_source


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory):
    """Every data set, written once."""
    return {name: build(name, tmp_path_factory.mktemp("data")) for name in NAMES}


def test_there_is_one_of_every_data_set_of_the_catalogue(data_sets):
    assert set(NAMES) - set(VARIANTS) == set(catalog())
    for name, data_set in catalog().items():
        assert data_sets[name].layout == data_set.layout


@pytest.mark.parametrize("name", NAMES)
def test_it_is_packed(tmp_path, small_encoder, data_sets, name):
    data_set = data_sets[name]
    root = None if data_set.data_root is None else str(data_set.data_root)
    config = PackConfig(max_len=512, data_root=root, max_reject_rate=1, workers=1)
    report = pack(data_set.paths, tmp_path, config, encoder=small_encoder)
    assert (
        report.samples_read == report.samples_packed + report.samples_rejected == data_set.samples
    )
    assert report.samples_rejected == data_set.missing
    assert report.images == data_set.images
    (source,) = report.sources
    assert source["layout"] == data_set.layout
    assert source["rejects"] == ({"missing_image": data_set.missing} if data_set.missing else {})
    assert Manifest.read(tmp_path).sources == list(report.sources)
    samples = [sample for entry in PackReader(tmp_path) for sample in entry.data]
    images = Counter(sample.image_bytes(i) for sample in samples for i in range(sample.image_count))
    assert images == Counter(data_set.pictures)
    for sample in samples:
        assert set(data_set.meta) <= sample.meta.keys()
    assert verify_packs(tmp_path).problems == []


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_of_exactly_one_layout(tmp_path, data_sets, name):
    data_set = data_sets[name]
    for file in find_inputs(data_set.paths):
        source = open_source(file, staging=tmp_path)
        container, path = container_named(source.container), Path(source.path)
        for span in container.split(path):
            for record in container.scan(path, span):
                assert not isinstance(record.fields, SampleError)
                layouts = installed_layouts().values()
                fitting = [layout.name for layout in layouts if layout({}).matches(record.fields)]
                assert fitting == [data_set.layout]


def test_several_at_once_are_reported_one_by_one(tmp_path, small_encoder, data_sets):
    names = ("slake", "pmc-vqa", "obelics as tar")
    paths = [path for name in names for path in data_sets[name].paths]
    config = PackConfig(max_len=512, max_reject_rate=1, workers=2)
    report = pack(paths, tmp_path, config, encoder=small_encoder)
    for name, source in zip(names, report.sources, strict=True):
        data_set = data_sets[name]
        assert (source["read"], source["rejected"]) == (data_set.samples, data_set.missing)
        assert sum(source["rejects"].values()) == source["rejected"]
    assert sum(source["read"] for source in report.sources) == report.samples_read
