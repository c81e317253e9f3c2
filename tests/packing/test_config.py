"""Options are checked, and those that change the output are an identity."""

from collections import Counter
from dataclasses import fields, replace

import orjson
import pytest

from packkit.base.errors import InputError
from packkit.packing import PackConfig
from packkit.packing.config import DECIDING, PASSING, RESOLVED

# Another legal value of every option.
OTHERS = {
    "max_len": 512,
    "tokenizer": "elsewhere",
    "image_tokens": 9,
    "template": "chatml",
    "layout": "llava",
    "columns": {"text": "caption"},
    "data_root": "/data",
    "image_suffix": ".jpg",
    "ignore": ("video",),
    "storage": "files",
    "shard_size": 1000,
    "algorithm": "best",
    "max_images": 3,
    "max_samples": 3,
    "overlong": "truncate",
    "seed": 1,
    "workers": 9,
    "max_pixels": 1000,
    "check_images": True,
    "unique_ids": True,
    "strict": True,
    "max_reject_rate": 0.5,
    "overwrite": True,
    "allow_truncated": True,
}


LARGEST = {
    "max_len": 2**24,
    "shard_size": 2**40,
    "workers": 1024,
    "max_pixels": 2**30,
    "max_images": 2**53 - 1,
    "max_samples": 2**53 - 1,
    "seed": 2**63 - 1,
}


def test_every_number_has_a_greatest_value_that_is_allowed():
    numbers = {name for name, value in OTHERS.items() if type(value) is int}
    # That of image_tokens is the encoder's.
    assert numbers - {"image_tokens"} == set(LARGEST)
    assert PackConfig(**LARGEST).max_len == 2**24


def test_every_option_is_looked_at_and_classed():
    options = {option.name for option in fields(PackConfig)}
    assert set(OTHERS) == options
    assert Counter([*DECIDING, *RESOLVED, *PASSING]) == Counter(options)


@pytest.mark.parametrize("name", OTHERS)
def test_identity_changes_with_what_decides_the_output(name):
    config = PackConfig(workers=1)
    changed = replace(config, **{name: OTHERS[name]})
    assert changed != config
    assert (changed.identity() != config.identity()) is (name in DECIDING)
    assert orjson.loads(orjson.dumps(changed.identity())) == changed.identity()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({name: 0}, f"{name} must be at least 1, got 0") for name in ("max_len", "shard_size")),
        *(({name: -1}, f"{name} must be at least 1, got -1") for name in ("workers", "max_pixels")),
        *(({name: 0}, f"{name} must be at least 1") for name in ("max_images", "max_samples")),
        ({"algorithm": "bfd"}, "algorithm must be one of ffd, fill, best, got 'bfd'"),
        ({"overlong": "cut"}, "overlong must be one of reject, truncate, error, got 'cut'"),
        ({"storage": "tar"}, "storage must be one of shards, files, got 'tar'"),
        ({"max_reject_rate": 1.1}, r"max_reject_rate must be in \[0, 1\], got 1\.1"),
        ({"max_reject_rate": -0.1}, r"max_reject_rate must be in \[0, 1\], got -0\.1"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"max_reject_rate": float("nan")}, r"max_reject_rate must be in \[0, 1\], got nan"),
        *(({name: True}, f"{name} must be a whole number, got True") for name in LARGEST),
        *(
            ({name: most + 1}, f"{name} must be at most {most}, got {most + 1}")
            for name, most in LARGEST.items()
        ),
        *(({name: 10**30}, f"{name} must be at most") for name in LARGEST),
    ],
)
def test_illegal_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        PackConfig(**options)


def test_encoder_is_the_one_that_the_options_name(qwen3_folder):
    config = PackConfig(tokenizer=str(qwen3_folder), image_tokens=7, template="chatml")
    described = config.encoder().describe()
    assert (described["template"], described["image_tokens"]) == ("chatml", "fixed:7")
