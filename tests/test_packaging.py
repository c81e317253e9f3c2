"""What `pip install packkit` puts on a machine."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("packkit", "kernels"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next((source / "dist").glob("*.whl"))


def test_wheel_holds_exactly_the_two_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"packkit", "packkit_kernels"}


def test_wheel_holds_every_module_and_what_modules_read_and_the_type_markers(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [
        path.relative_to(root).as_posix()
        for root in (ROOT, ROOT / "kernels")
        for package in ("packkit", "packkit_kernels")
        for path in (root / package).rglob("*")
        if path.suffix in {".py", ".toml", ".j2"}
    ]
    assert sources
    assert set(sources) <= names
    assert {"packkit/py.typed", "packkit_kernels/py.typed"} <= names
    assert "packkit/infimed/data/catalog.toml" in sources


def test_wheel_offers_the_command_and_the_sources(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    text = archive.read(name).decode()
    for section in ("[console_scripts]", "[packkit.containers]", "[packkit.layouts]"):
        assert section in text
