"""The house: a file imports only from rows above its own, and files of a row not in a circle."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROWS = (
    "packkit_kernels",
    "packkit.base",
    "packkit.images",
    "packkit.samples",
    "packkit.encoding",
    "packkit.planning",
    "packkit.shards",
    "packkit.sources",
    "packkit.packing",
    "packkit.varlen",
    "packkit.ledger",
    "packkit.loading",
    "packkit.overlap",
    "packkit.mixture",
    "packkit.training",
    "packkit.cli",
    "packkit.infimed",
    # What a user imports, and what `python -m packkit` runs.
    "packkit",
)


def module_of(path):
    """The dotted name of a file."""
    root = ROOT / "kernels" if path.is_relative_to(ROOT / "kernels") else ROOT
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


FILES = {
    module_of(path): path
    for folder in (ROOT / "packkit", ROOT / "kernels")
    for path in sorted(folder.rglob("*.py"))
}


def row_of(module):
    """The number of the row that a dotted name stands in; the last is the package itself."""
    return next(number for number, row in enumerate(ROWS) if (module + ".").startswith(row + "."))


def imported_modules(path, modules=FILES):
    """Every module of the house that a file imports, inside functions too, types left out."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


IMPORTS = {
    module: sorted(
        {
            name
            for name in imported_modules(path)
            if name.split(".")[0] in {"packkit", "packkit_kernels"}
        }
    )
    for module, path in FILES.items()
}


@pytest.mark.parametrize("module", [name for name in FILES if row_of(name) < len(ROWS) - 1])
def test_file_imports_only_from_rows_above(module):
    for name in IMPORTS[module]:
        if row_of(name) != row_of(module):
            assert row_of(name) < row_of(module), f"{module} imports {name}, which stands no higher"


def test_no_file_imports_in_a_circle():
    # A package's face imports its parts; a part that imports another runs the face, too.
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_every_folder_has_its_row():
    folders = {f"packkit.{path.parent.name}" for path in (ROOT / "packkit").glob("*/__init__.py")}
    assert folders == set(ROWS[1:-1])


def test_rows_are_those_of_the_document():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = re.search(r"^\| row \| job \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    rows = [
        name.strip("/").removeprefix("kernels/").replace("/", ".")
        for line in table.splitlines()
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    ]
    assert rows == list(ROWS[:-1])


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    path = tmp_path / "sinner.py"
    path.write_text(
        "def f():\n    from packkit.cli import main\n    import packkit\n    return main\n"
    )
    assert list(imported_modules(path)) == ["packkit.cli.main", "packkit"]
    assert row_of("packkit") > row_of("packkit.infimed") > row_of("packkit.cli.main")
