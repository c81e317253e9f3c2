"""What a user imports from `packkit.infimed.curation` is there, and loads only what it needs."""

import subprocess
import sys

import pytest

import packkit.infimed.curation as curation

HEAVY = "numpy", "pyarrow", "torch", "openai", "jinja2", "matplotlib", "pydantic", "PIL"


@pytest.mark.parametrize("name", curation.__all__)
def test_every_name_of_the_face_is_there(name):
    value = getattr(curation, name)
    assert value.__name__ == name and value.__doc__
    assert name in dir(curation)


def test_other_names_are_an_error():
    with pytest.raises(AttributeError, match=r"packkit\.infimed\.curation' has no attribute 'x'"):
        _ = curation.x


@pytest.mark.parametrize("module", ["packkit.infimed.cli", "packkit.infimed.curation"])
def test_face_and_commands_load_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert not set(HEAVY) & set(loaded.stdout.split())
