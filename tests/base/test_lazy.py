"""Names that a package loads on first use: what is offered, loaded and refused."""

import subprocess
import sys

import pytest

MODULES = {"first": ("One", "Two"), "second": ("Three",)}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    folder.joinpath("__init__.py").write_text(
        "from packkit.base.lazy import lazy_names\n"
        f"__all__, __getattr__, __dir__ = lazy_names(__name__, {MODULES!r})\n"
    )
    folder.joinpath("first.py").write_text("One, Two = 1, 2\n")
    folder.joinpath("second.py").write_text("Three = 3\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return "lazy_package"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_module_is_imported_when_one_of_its_names_is_used_and_not_before(package):
    result = run_python(
        f"import sys, {package} as p\n"
        f"assert not [m for m in sys.modules if m.startswith('{package}.')]\n"
        f"assert p.Three == 3\n"
        f"assert [m for m in sys.modules if m.startswith('{package}.')] == ['{package}.second']\n"
    )
    assert result.returncode == 0, result.stderr


def test_every_name_is_offered_and_listed_beside_what_the_package_holds(package):
    result = run_python(
        f"import {package} as p\n"
        "assert p.__all__ == ['One', 'Three', 'Two']\n"
        "assert {*p.__all__, '__name__', '__file__'} <= set(dir(p))\n"
        "assert dir(p) == sorted(dir(p))\n"
        f"from {package} import *\n"
        "assert (One, Two, Three) == (1, 2, 3)\n"
    )
    assert result.returncode == 0, result.stderr


def test_a_name_that_is_not_offered_is_an_attribute_error_that_names_both(package):
    result = run_python(f"import {package} as p\np.Four\n")
    assert "AttributeError: module 'lazy_package' has no attribute 'Four'" in result.stderr
