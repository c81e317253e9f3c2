"""What the tests of mixtures share: a tiny encoder, and a data folder with one source or many."""

import pytest
from data_sets import NAMES, build
from packing_inputs import caption, write_lines

from packkit.mixture.recipe import check_mixture


@pytest.fixture(scope="session")
def every_data_set(tmp_path_factory):
    """A folder with every data set of the catalogue, and what is in each."""
    folder = tmp_path_factory.mktemp("data")
    return folder, {name: build(name, folder / name.replace(" ", "-")) for name in NAMES}


@pytest.fixture
def captions(tmp_path):
    """Writes captions of a source in so many files, and returns the source's table."""

    def write(name, count, *, files=1, order=None):
        records = [caption(number, source=name) for number in order or range(count)]
        for number in range(files):
            write_lines(tmp_path / name / f"{number}.jsonl", records[number::files])
        return {"use": name, "path": name}

    return write


@pytest.fixture
def mixture():
    """Makes a mixture from its sources and what else it says."""

    def make(*sources, **fields):
        tables = {
            "version": 1,
            "name": "test",
            "pack": {"max_len": 512, "image_tokens": 5},
            "sources": list(sources),
        }
        return check_mixture({**tables, **fields}, "test.toml")

    return make
