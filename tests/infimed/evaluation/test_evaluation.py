"""`packkit.infimed.evaluation`: what it offers, and what it does not load."""

import inspect
import subprocess
import sys

import pytest

from packkit.infimed import evaluation


def test_names_are_sorted_and_resolve():
    assert list(evaluation.__all__) == sorted(evaluation.__all__)
    for name in evaluation.__all__:
        loaded = getattr(evaluation, name)
        # The second time, too: no module of the package is called like a name that it offers.
        assert getattr(evaluation, name) is loaded
        assert not inspect.ismodule(loaded)
        assert inspect.getdoc(loaded)


def test_import_loads_no_part():
    code = "import sys, packkit.infimed.evaluation; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("packkit.infimed.evaluation.")] == []
    assert not {"numpy", "torch", "openai"} & set(loaded)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        _ = evaluation.scores
