"""Modules that help the tests: named or written like test code, and imported only by tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from aci.repair.spectrum import belongs_to_tests
from agent.repair.analysis.source_file import Definition
from agent.repair.analysis.syntax_trees import UNREADABLE, parse_module

WORDS = {"assertions", "fixture", "fixtures", "helper", "helpers", "mocks", "testing", "testutils"}
LIBRARIES = {"hypothesis", "mock", "nose", "pytest", "unittest"}
IMPORTS = re.compile(rb"(?m)^[ \t]*(?:from[ \t]+[\w.]+[ \t]+import[ \t]*(?:\([^)]*\)|[^\n]*)|import[ \t][^\n]*)")
Read = Callable[[str], bytes | None]


def find_test_helpers(suspected: Sequence[str], files: Iterable[str], read: Read) -> frozenset[str]:
    """Return the suspected files that are test helpers, so that no edit of them is a repair.

    A program may also be imported only by its tests, so a helper must look like test code as well. `files` are the
    paths of the repository, `read` returns a file's contents or None. If all suspected files look like helpers, none
    counts as one.
    """
    likely = {path for path in suspected if _looks_like_helper(path, read(path))}
    if not likely or likely.issuperset(suspected):
        return frozenset()
    others = [path for path in files if path.endswith(".py") and not belongs_to_tests(path) and path not in likely]
    imports = [b"\n".join(IMPORTS.findall(read(path) or b"")) for path in others]
    return frozenset(path for path in likely if not any(_is_named(path, text) for text in imports))


def _is_named(path: str, imports: bytes) -> bool:
    """Return whether import statements contain the name of a module."""
    name = PurePosixPath(path).parent.name if path.endswith("__init__.py") else PurePosixPath(path).stem
    return re.search(rb"\b%s\b" % re.escape(name.encode()), imports) is not None


def _looks_like_helper(path: str, data: bytes | None) -> bool:
    """Return whether a file is named like a test helper, imports a test library, or contains only functions that check
    something.

    A file that defines tests itself may be a program together with its tests.
    """
    if WORDS.intersection(re.split(r"[_\W]+", PurePosixPath(path).stem.lower())):
        return True
    try:
        nodes = list(ast.walk(parse_module(data or b"")))
    except UNREADABLE:
        return False
    if any(isinstance(node, Definition | ast.ClassDef) and node.name.lower().startswith("test") for node in nodes):
        return False
    functions = [node for node in nodes if isinstance(node, Definition)]
    is_library_used = any(LIBRARIES.intersection(_imported(node)) for node in nodes)
    return is_library_used or (bool(functions) and all(map(_is_check, functions)))


def _imported(node: ast.AST) -> list[str]:
    """Return the top-level packages that an import statement names."""
    if isinstance(node, ast.ImportFrom):
        return [] if node.level else [(node.module or "").partition(".")[0]]
    return [one.name.partition(".")[0] for one in node.names] if isinstance(node, ast.Import) else []


def _is_check(function: ast.AST) -> bool:
    """Return whether a function contains an assertion and returns nothing."""
    nodes = list(ast.walk(function))
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    return not returns and any(isinstance(node, ast.Assert) for node in nodes)
