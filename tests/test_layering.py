"""The house: a file imports only from rows above its own (ARCHITECTURE.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROWS = (
    ("packkit_kernels",),
    ("packkit.errors",),
    (
        "packkit.schema",
        "packkit.files",
        "packkit.engine",
        "packkit.orders",
        "packkit.pages",
        "packkit.recipes",
        "packkit.varlen",
    ),
    ("packkit.image_headers", "packkit.open_qwen2vl"),
    ("packkit.images",),
    ("packkit.pixels",),
    ("packkit.image_tokens", "packkit.templates", "packkit.tokenizer", "packkit.sample_keys"),
    ("packkit.encoding",),
    ("packkit.shards",),
    ("packkit.ledger",),
    ("packkit.loading",),
    ("packkit.sources",),
    ("packkit.planning",),
    ("packkit.packing",),
    ("packkit.stats", "packkit.whatif"),
    ("packkit.judging",),
    ("packkit.curation", "packkit.overlap"),
    ("packkit.mixture",),
    ("packkit.training",),
    ("packkit.evaluation",),
    ("packkit.terminal",),
    ("packkit.cli",),
    ("packkit.__main__",),
)
RANK = {module: rank for rank, row in enumerate(ROWS) for module in row}

FILES = sorted(
    path
    for folder in (ROOT / "packkit", ROOT / "kernels")
    for path in folder.rglob("*.py")
    if path != ROOT / "packkit" / "__init__.py"
)


def owner(module):
    """The module or package of the house that a dotted name belongs to."""
    return next((name for name in RANK if (module + ".").startswith(name + ".")), None)


def imported_modules(path):
    """Every packkit module that a file imports, inside functions too, types left out."""
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
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.startswith("packkit"))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("packkit"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_imports_only_from_rows_above(path):
    root = ROOT / "kernels" if path.is_relative_to(ROOT / "kernels") else ROOT
    module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    own = owner(module)
    assert own is not None, f"{module} stands in no row: give it one here and in ARCHITECTURE.md"
    for name in imported_modules(path):
        other = owner(name)
        if name == "packkit" or other == own:
            continue
        assert other is not None, f"{module} imports {name}, which stands in no row"
        assert RANK[other] < RANK[own], f"{module} imports {name}, which stands no higher"


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    path = tmp_path / "sinner.py"
    path.write_text("def f():\n    from packkit.cli import main\n    return main\n")
    assert list(imported_modules(path)) == ["packkit.cli.main"]
