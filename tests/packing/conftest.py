"""Runs of the main job with the local tokenizer, loaded once."""

import pytest

from packkit.packing import PackConfig, pack


@pytest.fixture
def run(encoder):
    """`pack` with tiny shards; options of `PackConfig` by name."""

    def start(inputs, out, *, on_progress=None, **options):
        config = PackConfig(**{"shard_size": 20_000, "workers": 2, **options})
        return pack(inputs, out, config, encoder=encoder, on_progress=on_progress)

    return start
