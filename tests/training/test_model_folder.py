"""A folder of a model names its own tensors and nothing else."""

import json

import pytest

from packkit.base.errors import InputError
from packkit.training.model_folder import check_model_folder

INDEX = "model.safetensors.index.json"


def write(folder, name, fields):
    (folder / name).write_text(json.dumps(fields))


def test_ordinary_folders_and_hub_ids_pass(tmp_path):
    check_model_folder("Qwen/Qwen3-1.7B")
    check_model_folder(tmp_path)
    write(tmp_path, INDEX, {"weight_map": {"a": "model-00001-of-00002.safetensors"}})
    write(tmp_path, "config.json", {"_attn_implementation": "sdpa", "_name_or_path": "org/name"})
    check_model_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("evil.bin", "../outside.safetensors", "/etc/a.safetensors", "..safetensors"),
        *("a/b.safetensors", 5, None, ["a.safetensors"], ""),
    ],
)
def test_an_index_names_safetensors_files_of_its_folder(tmp_path, name):
    write(tmp_path, INDEX, {"weight_map": {"a": "model.safetensors", "b": name}})
    with pytest.raises(InputError, match="weight_map must name safetensors files of its folder"):
        check_model_folder(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"attn_implementation": "evil/kernel"},
        {"text_config": {"_attn_implementation": "evil/kernel"}},
        {"attn_implementation": {"text_config": "evil/kernel:v1"}},
        {"experts_implementation": ["sdpa", "evil/kernel"]},
    ],
)
def test_a_config_names_no_code_to_fetch(tmp_path, config):
    write(tmp_path, "config.json", config)
    with pytest.raises(InputError, match="must not name code to fetch, got 'evil/kernel"):
        check_model_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_what_is_no_object_is_told(tmp_path, text):
    for name in (INDEX, "config.json"):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(InputError, match=name):
            check_model_folder(tmp_path)
        path.unlink()
