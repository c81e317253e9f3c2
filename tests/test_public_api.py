"""`import packkit`: what it offers, and what it does not load."""

import inspect
import subprocess
import sys

import pytest

import packkit
from packkit.base import errors

HEAVY = ("torch", "numba", "transformers", "pyarrow", "numpy", "tokenizers", "PIL", "typer")


def test_import_loads_nothing_heavy():
    code = f"import sys, packkit; print(*({HEAVY!r} & sys.modules.keys()))".replace(
        repr(HEAVY), repr(set(HEAVY))
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def test_names_are_sorted_and_resolve():
    assert list(packkit.__all__) == sorted(packkit.__all__)
    for name in packkit.__all__:
        assert getattr(packkit, name).__name__ == name


@pytest.mark.parametrize("name", packkit.__all__)
def test_name_and_its_methods_are_documented(name):
    thing = getattr(packkit, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            is_public = not member.startswith("_")
            if is_public and (inspect.isfunction(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pakc'"):
        _ = packkit.pakc


def test_every_error_is_a_packkit_error_and_is_drawn_in_the_tree():
    classes = [thing for thing in vars(errors).values() if inspect.isclass(thing)]
    for error in (thing for thing in classes if issubclass(thing, Exception)):
        assert issubclass(error, packkit.PackkitError)
        assert error.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.SampleError(errors.RejectReason.EMPTY_TEXT, "none"), ValueError),
        (errors.LengthError(3, 5000, 4096), ValueError),
        (errors.ChecksumError("shard-00000.jsonl", "differs"), ValueError),
        (errors.SourceChangedError("a.jsonl", "grew"), RuntimeError),
        (errors.OutputExistsError("packs", "holds packs"), FileExistsError),
        (errors.LockedError("packs/.work/lock", "pack set packs"), BlockingIOError),
        (errors.MissingExtraError("torch", "torch"), ImportError),
    ],
)
def test_error_refines_its_builtin(error, builtin):
    assert isinstance(error, builtin)
    assert str(error)


def test_missing_extra_names_the_pip_line():
    assert "pip install 'packkit[torch]'" in str(errors.MissingExtraError("torch", "torch"))
