"""Runs of the main job, and of its first pass alone."""

import pytest

from packkit.packing import PackConfig, pack
from packkit.packing.run import open_run
from packkit.sources import find_inputs, open_source


@pytest.fixture
def run(encoder):
    """`pack` with tiny shards; options of `PackConfig` by name."""

    def start(inputs, out, *, on_progress=None, **options):
        config = PackConfig(**{"shard_size": 20_000, "workers": 2, **options})
        return pack(inputs, out, config, encoder=encoder, on_progress=on_progress)

    return start


@pytest.fixture
def quick_run(small_encoder):
    """The same with an encoder that loads in no time, and the engine as an option."""

    def start(inputs, out, *, on_progress=None, engine=None, **options):
        config = PackConfig(**{"shard_size": 20_000, "workers": 2, **options})
        return pack(
            inputs, out, config, encoder=small_encoder, engine=engine, on_progress=on_progress
        )

    return start


@pytest.fixture
def measure(tmp_path, small_encoder):
    """Pass 1 over files: returns their sources and what it found."""

    def start(*paths, notes=None, **options):
        config = PackConfig(**{"workers": 2, **options})
        with open_run(tmp_path / "measured", config, small_encoder) as run:
            sources = [open_source(file, staging=run.work.staging) for file in find_inputs(paths)]
            pass1 = run.measure(sources, notes)
            run.work.remove()
        return sources, pass1

    return start
