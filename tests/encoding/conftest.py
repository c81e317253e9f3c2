"""Encoders and Qwen3's own tokenizer, which the tests of the encoder share."""

import json

import pytest
from encoding_samples import IMAGE_TOKENS

from packkit.encoding import SampleEncoder


@pytest.fixture(scope="session")
def few(qwen3_folder):
    """An encoder with so few tokens an image that cuts fall everywhere."""
    return SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS)


@pytest.fixture(scope="session")
def ids_in_transformers(qwen3_in_transformers):
    def encode(messages):
        plain = [{"role": message.role, "content": message.content[0]} for message in messages]
        return qwen3_in_transformers.apply_chat_template(plain, tokenize=True, return_dict=False)

    return encode


@pytest.fixture(scope="session")
def control_tokens(qwen3_folder):
    """Every control token of Qwen3 and its id."""
    added = json.loads((qwen3_folder / "tokenizer.json").read_text())["added_tokens"]
    return {token["content"]: token["id"] for token in added}


@pytest.fixture(scope="session")
def control_ids_in(control_tokens):
    """The control tokens of a sample, less those of its images."""
    numbers = set(control_tokens.values()) - {control_tokens["<|image_pad|>"]}
    return lambda encoded: [id for id in encoded.input_ids.tolist() if id in numbers]


@pytest.fixture(scope="session")
def decode(qwen3_in_transformers):
    return lambda ids: qwen3_in_transformers.decode(ids.tolist())


@pytest.fixture(scope="session")
def chatml(qwen3_folder):
    return SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS, template="chatml")
