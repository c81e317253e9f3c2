"""The command line states the library's defaults and choices, and no others."""

import sys
from dataclasses import fields, replace
from inspect import signature
from typing import get_args, get_type_hints

import pytest

import packkit.packing
from packkit.cli import main, packs, training
from packkit.encoding.templates import TEMPLATES
from packkit.packing import PackConfig


class Stop(BaseException):
    """Ends a command where its work would begin."""


def test_packing_without_options_takes_the_defaults_of_the_library(monkeypatch):
    configs = []

    def take_down(inputs, out, config, **_):
        configs.append(config)
        raise Stop

    monkeypatch.setattr(packkit.packing, "pack", take_down)
    monkeypatch.setattr(sys, "argv", ["packkit", "pack", "data.jsonl"])
    with pytest.raises(Stop):
        main.main()
    default = PackConfig()
    # On the command line a number is text: another policy may stand there.
    assert configs == [replace(default, image_tokens=str(default.image_tokens))]


def test_every_option_of_packing_is_on_the_command_line():
    names = {field.name for field in fields(PackConfig)}
    assert names <= signature(packs.pack_command).parameters.keys()


@pytest.mark.parametrize("name", ["algorithm", "overlong", "storage"])
def test_choices_of_packing_are_those_of_the_library(name):
    assert get_type_hints(packs.pack_command)[name] == get_type_hints(PackConfig)[name]


def test_templates_are_those_of_the_encoder():
    assert set(get_args(get_type_hints(packs.pack_command)["template"])) == set(TEMPLATES)


def test_choices_of_training_are_those_of_the_library():
    from packkit.training.export import export
    from packkit.training.generation import Generator

    for command, function, name in (
        (training.generate_command, Generator.load, "device"),
        (training.export_command, export, "precision"),
    ):
        assert get_type_hints(command)[name] == get_type_hints(function)[name]
        assert signature(command).parameters[name].default == (
            signature(function).parameters[name].default
        )
