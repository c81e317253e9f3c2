"""Recipes hold the paper's figures, take changes, and refuse what is not legal by name."""

import dataclasses
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_texts import (
    BOTH_SIZES,
    CHAIN,
    PAPER,
    PRETRAIN,
    RECIPES,
    SMALL,
    TABLES,
    TINY,
    recipe,
    refusal,
)

from packkit.base.errors import InputError
from packkit.mixture import read_mixture
from packkit.training.recipe import read_recipe


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path):
    assert read_recipe(path).run.out == f"runs/{path.stem}"


def test_every_recipe_of_the_paper_is_there():
    assert {path.stem for path in RECIPES.glob("*.toml")} >= set(BOTH_SIZES)


@pytest.mark.parametrize("name", BOTH_SIZES)
def test_recipes_hold_the_figures_of_the_paper(name):
    stage = recipe(name)
    values = {**dataclasses.asdict(stage.optimizer), **dataclasses.asdict(stage.data)}
    values["image_tokens"] = stage.model.image_tokens
    column = 0 if name.startswith(PRETRAIN) else 1
    assert {key: values[key] for key in PAPER} == {key: row[column] for key, row in PAPER.items()}


@pytest.mark.parametrize("name", BOTH_SIZES)
def test_recipes_run_on_eight_ranks_in_16_bits_with_balanced_work(name):
    stage = recipe(name)
    assert stage.data.packs_per_step % (8 * stage.data.micro_packs) == 0
    assert stage.data.balance and stage.model.activation_checkpointing
    assert stage.run.precision == "bf16"


@pytest.mark.parametrize(
    ("size", "language"), [("", "Qwen/Qwen3-1.7B"), ("-4b", "Qwen/Qwen3-4B")], ids=["1.7b", "4b"]
)
def test_every_stage_starts_where_the_stage_before_ended(size, language):
    runs = [recipe(name + size) for name in CHAIN]
    first = runs[0]
    assert (first.model.language, first.model.weights) == (language, "pretrained")
    assert first.model.vision == "google/siglip-so400m-patch14-384"
    for before, stage in pairwise(runs):
        assert stage.model.weights == before.run.out
        # A run brings its configs, and must be given no other.
        assert stage.model.language is stage.model.vision is None


@pytest.mark.parametrize("name", CHAIN)
def test_both_sizes_differ_in_nothing_but_model_and_place(name):
    small, large = recipe(name), recipe(f"{name}-4b")
    assert (small.data, small.optimizer) == (large.data, large.optimizer)
    assert dataclasses.replace(large.run, out=small.run.out) == small.run
    as_small = {"language": small.model.language, "weights": small.model.weights}
    assert dataclasses.replace(large.model, **as_small) == small.model
    assert large.run.out != small.run.out


@pytest.mark.parametrize("name", CHAIN)
def test_the_command_in_a_recipe_makes_the_packs_that_it_trains_on(name):
    text = (RECIPES / f"{name}.toml").read_text()
    (toml,) = re.findall(r"packkit mix resolve recipes/(\S+)", text)
    (out,) = re.findall(r"packkit mix build \S+ --data DATA --out (\S+)", text)
    stage, mixture = recipe(name), read_mixture(RECIPES / toml)
    assert (out, mixture.pack.image_tokens) == (stage.data.packs, stage.model.image_tokens)
    assert (mixture.pack.max_samples == 1) == (name != PRETRAIN)


@given(st.floats(min_value=1e-12, max_value=1e6))
def test_changes_set_numbers(rate):
    assert read_recipe(TINY, [f"optimizer.lr={rate!r}"]).optimizer.lr == rate


@given(st.integers(0, 2**63 - 1))
def test_changes_set_whole_numbers(number):
    assert read_recipe(TINY, [f"run.seed={number}"]).run.seed == number


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("run.seed", 2**63 - 1),
        ("run.checkpoint_every", 2**53 - 1),
        ("data.packs_per_step", 2**20),
        ("data.micro_packs", 2**20),
        ("data.epochs", 2**31 - 1),
        ("data.threads", 1024),
        ("model.image_tokens", 2**24),
    ],
)
def test_numbers_have_a_greatest_value(key, most):
    read_recipe(TINY, [f"{key}={most}"])
    with pytest.raises(InputError, match=f"{key} must be at most {most}, got {most + 1}"):
        read_recipe(TINY, [f"{key}={most + 1}"])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_no_toml_value_is_set_as_a_string(text):
    # No TOML value begins like this.
    place = f"runs/{text}"
    assert read_recipe(TINY, [f"run.out={place}"]).run.out == place


def test_changes_set_all_kinds_of_values():
    changed = read_recipe(
        TINY,
        [
            "run.out='7'",
            "run.tensorboard=true",
            "data.packs={a = 0.25, b = 0.75}",
            "data.shuffle=shards",
            "optimizer.betas=[0.9, 0.95]",
            "optimizer.lr=3",
        ],
    )
    assert changed.run.out == "7" and changed.run.tensorboard
    assert changed.data.packs == {"a": 0.25, "b": 0.75}
    assert changed.data.shuffle == "shards"
    assert changed.optimizer.betas == (0.9, 0.95)
    assert changed.optimizer.lr == 3.0


def test_changes_reach_into_tables_and_leave_the_rest():
    before = read_recipe(TINY)
    after = read_recipe(TINY, ["model.language.hidden_size=96", "model.vision.patch_size=12"])
    assert after.model.language == {**before.model.language, "hidden_size": 96}
    assert after.model.vision == {**before.model.vision, "patch_size": 12}
    assert (after.run, after.data, after.optimizer) == (before.run, before.data, before.optimizer)


def test_changes_make_tables_that_are_missing(written):
    path = written(SMALL.replace("[optimizer]\nlr = 0.001", ""))
    assert "optimizer" in refusal(path)
    changed = read_recipe(path, ["optimizer.lr=0.5", "model.language.hidden_size=32"])
    assert changed.optimizer.lr == 0.5
    assert changed.model.language == {"hidden_size": 32}


def test_the_last_change_of_a_key_counts():
    assert read_recipe(TINY, ["data.epochs=2", "data.epochs=3"]).data.epochs == 3


@given(st.sampled_from(TABLES), st.from_regex(r"[a-z]{1,12}_x", fullmatch=True))
def test_unknown_keys_are_refused_by_name(table, key):
    message = refusal(TINY, f"{table}.{key}=1")
    assert "tiny.toml" in message and f"{table}.{key} " in message


@given(st.from_regex(r"[a-z]{1,12}_x", fullmatch=True))
def test_unknown_tables_are_refused_by_name(table):
    message = refusal(TINY, f"{table}.key=1")
    assert "tiny.toml" in message and f"{table} " in message


@pytest.mark.parametrize("key", ["run.out", "data.packs", "data.packs_per_step", "optimizer.lr"])
def test_missing_keys_are_refused_by_name(written, key):
    name = key.split(".")[1]
    path = written(re.sub(rf"^{name} = .*$", "", SMALL, flags=re.MULTILINE))
    message = refusal(path)
    assert "small.toml" in message and f"{key} is missing" in message
    # Each is missing by itself.
    assert message.count(" is missing") == 1


def test_all_missing_tables_are_named_at_once(written):
    message = refusal(written(""))
    assert "small.toml" in message
    assert all(f"{table} is missing" in message for table in TABLES)


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("run.out", "5", "5"),
        ("run.seed", "'one'", "'one'"),
        ("run.tensorboard", "yes", "'yes'"),
        ("data.epochs", "1.5", "1.5"),
        ("data.epochs", "true", "True"),
        ("data.packs", "3", "3"),
        ("data.packs", "{a = 'much'}", "'much'"),
        ("model.language", "3", "3"),
        ("model.image_tokens", "many", "'many'"),
        ("model.isolate", "1", "1"),
        ("optimizer.lr", "fast", "'fast'"),
        ("optimizer.betas", "0.9", "0.9"),
        ("optimizer.betas", "[0.9, 0.95, 0.99]", "[0.9, 0.95, 0.99]"),
    ],
)
def test_values_of_another_type_are_refused_by_key_and_value(key, value, shown):
    message = refusal(TINY, f"{key}={value}")
    assert (
        "tiny.toml" in message
        and re.search(rf"{re.escape(key)}(:| must be) ", message)
        and shown in message
    )


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("run.device", ["auto", "cpu", "cuda"]),
        ("run.precision", ["bf16", "fp32"]),
        ("run.sharding", ["full", "none"]),
        ("data.shuffle", ["global", "shards", "none"]),
        ("data.decoder", ["pillow", "turbo"]),
        ("data.on_bad_image", ["raise", "mask"]),
        ("model.attention", ["auto", "varlen", "flex", "sdpa"]),
    ],
)
def test_other_words_are_refused_with_those_that_are_legal(key, allowed):
    message = refusal(TINY, f"{key}=other")
    assert "tiny.toml" in message and key in message and "'other'" in message
    assert all(f"'{word}'" in message for word in allowed)
    table, name = key.split(".")
    for word in allowed:
        assert getattr(getattr(read_recipe(TINY, [f"{key}={word}"]), table), name) == word


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run.checkpoint_every", "0"),
        ("run.keep", "0"),
        ("data.packs_per_step", "0"),
        ("data.micro_packs", "-1"),
        ("data.epochs", "0"),
        ("optimizer.lr", "0.0"),
        ("optimizer.lr", "-0.5"),
        ("optimizer.weight_decay", "-0.1"),
        ("optimizer.warmup", "1.5"),
        ("optimizer.betas", "[0.9, 1.0]"),
        ("optimizer.eps", "0.0"),
        ("optimizer.max_grad_norm", "0.0"),
    ],
)
def test_illegal_values_are_refused_by_key_and_value(key, value):
    message = refusal(TINY, f"{key}={value}")
    table, name = key.split(".")
    assert "tiny.toml" in message and table in message and name in message
    assert message.endswith(f"got {value}")


@pytest.mark.parametrize("change", ["run.out", "out=x", "=x", "", "base=other.toml", "run=3"])
def test_changes_without_table_key_or_value_are_refused(change):
    message = refusal(TINY, change)
    assert "table.key=value" in message and repr(change) in message


def test_a_change_below_what_is_no_table_is_refused():
    message = refusal(TINY, "run.out.folder=x")
    assert "run.out.folder=x" in message and "out is no table" in message


@pytest.mark.parametrize("text", ["[run", "run = ", "[run]\nout = 1\nout = 2"])
def test_what_is_not_toml_is_refused(written, text):
    message = refusal(written(text))
    assert "small.toml" in message and "not TOML" in message


def test_what_is_not_text_is_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "binary.toml" in refusal(path)


def test_a_table_that_is_a_value_is_refused(written):
    message = refusal(written("optimizer = 3\n" + SMALL.replace("[optimizer]\nlr = 0.001", "")))
    assert "small.toml" in message and "optimizer" in message and "3" in message


def test_a_file_that_is_missing_is_refused(tmp_path):
    message = refusal(tmp_path / "none.toml")
    assert "none.toml" in message and "cannot read" in message


def test_a_folder_is_refused(tmp_path):
    assert "cannot read" in refusal(tmp_path)
