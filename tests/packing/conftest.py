"""Options of packing runs, with the local tokenizer."""

import pytest

from packkit.packing import PackConfig


@pytest.fixture
def config(qwen3_folder):
    """Options with the local tokenizer, tiny shards and no tolerance for rejects."""

    def make(**changes):
        options = {"tokenizer": str(qwen3_folder), "shard_size": 20_000, "workers": 2}
        return PackConfig(**{**options, **changes})

    return make
