"""One public name, one definition: a class or function is called like no other under packkit/."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def public_names(tree):
    """Classes, functions and type aliases that a module defines under a public name."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            # What is written like a class: type variables have one letter, constants no lower case.
            names = [name for name in names if len(name) > 1 and not name.isupper()]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def test_no_public_name_is_defined_twice():
    places = defaultdict(list)
    for path in sorted((ROOT / "packkit").rglob("*.py")):
        for name in public_names(ast.parse(path.read_text())):
            places[name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_the_check_sees_classes_functions_and_aliases():
    code = "class A: ...\ndef b(): ...\nKind = int\nT = 1\n_private = 2\nLIMIT = 3\n"
    assert list(public_names(ast.parse(code))) == ["A", "b", "Kind"]
