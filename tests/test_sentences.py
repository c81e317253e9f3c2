"""Every line of a docstring's sections stands alone, as an IDE shows it; variables are nouns."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("packkit", "kernels") for path in (ROOT / folder).rglob("*.py"))

SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?:[ ]{4}.*\n|\n(?=[ ]{4}))+)", re.MULTILINE)
ENTRY = re.compile(
    r"^[ ]{4}([*\w.`]+(?: \([^)]*\))?): +((?:.*\n(?:[ ]{8}.*\n|\n(?=[ ]{8}))*))", re.MULTILINE
)
OWNERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# `lengths: int32 [n], tokens of each sample.`
ARRAY = re.compile(r"(u?int(8|16|32|64)?|float(16|32|64)?|bfloat16|bool|uint8)\b")
# A line that begins with one of these leans on the name before it.
LEANING = frozenset(
    {"of", "that", "by", "to", "as", "from", "for", "with", "which", "whose", "likewise"}
    | {"those", "these", "its", "this", "it", "neither"}
)
# Words that say nothing of what they hold.
PRONOUNS = frozenset({"one", "found", "own", "of"})


def docstrings(tree):
    for node in ast.walk(tree):
        is_owner = isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        )
        if is_owner and (text := ast.get_docstring(node)) is not None:
            yield text + "\n"


def faults_of(text):
    """Entries of Args, Attributes and Raises that are no sentence of their own."""
    for _, section in SECTION.findall(text):
        for name, entry in ENTRY.findall(section):
            words = " ".join(entry.split())
            first = re.match(r"[\w']*", words)[0]
            if first.lower() in LEANING:
                yield f"{name}: {words}: leans on its name"
            elif not (words[:1].isupper() or words[:1] in "`0123456789'\"(" or ARRAY.match(words)):
                yield f"{name}: {words}: begins with no capital"
            elif not words.endswith((".", "?")):
                yield f"{name}: {words}: has no end"


def bound_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


@pytest.mark.parametrize("folder", ["packkit", "kernels", "tests", "bench", "examples"])
def test_no_file_is_longer_than_350_lines(folder):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 350} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_of_docstrings_stand_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [fault for text in docstrings(tree) for fault in faults_of(text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_are_called_by_nouns(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [place for place in bound_names(tree) if place[1] in PRONOUNS] == []


def test_the_check_sees_what_it_should():
    entries = ("seed: of the draws.", "a: Path of b", "c: int32 [n], tokens.", "d: the d.")
    text = "Does.\n\nArgs:\n" + "".join(f"    {entry}\n" for entry in entries)
    assert [fault.split(":")[0] for fault in faults_of(text)] == ["seed", "a", "d"]
    code = "for one in x: ...\ndef f(found): ...\n"
    assert [name for _, name in bound_names(ast.parse(code))] == ["one", "found"]
