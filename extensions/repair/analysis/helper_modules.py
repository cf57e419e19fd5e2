"""Modules that help the tests: their functions only assert, and only tests name them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from extensions.experiment.evaluator.spectrum import belongs_to_tests
from extensions.experiment.source.source_file import Definition
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module

MANIFESTS = (".toml", ".cfg")
"""The endings of files that may name a module as the entry point of a plugin."""

Read = Callable[[str], bytes | None]


def find_test_helpers(suspected: Sequence[str], files: Iterable[str], read: Read) -> frozenset[str]:
    """Return the suspected files that are test helpers, so that no edit of them is a repair.

    A file whose name occurs anywhere in another file of the program is none. `files` are the paths of the repository,
    `read` returns a file's contents or None. If all suspected files look like helpers, none counts as one.
    """
    likely = {path for path in suspected if _only_asserts(read(path))}
    if not likely or likely.issuperset(suspected):
        return frozenset()
    program = (
        path for path in files if path.endswith(MANIFESTS) or (path.endswith(".py") and not belongs_to_tests(path))
    )
    texts = {path: read(path) or b"" for path in program}
    return frozenset(
        path for path in likely if not any(_is_named(path, text) for other, text in texts.items() if other != path)
    )


def _is_named(path: str, text: bytes) -> bool:
    """Return whether a text contains the name of a module."""
    name = PurePosixPath(path).parent.name if path.endswith("__init__.py") else PurePosixPath(path).stem
    return re.search(rb"\b%s\b" % re.escape(name.encode()), text) is not None


def _only_asserts(data: bytes | None) -> bool:
    """Return whether a file contains functions and all of them only check something.

    A file that defines tests itself may be a program together with its tests.
    """
    try:
        nodes = list(ast.walk(parse_module(data or b"")))
    except UNREADABLE:
        return False
    if any(isinstance(node, Definition | ast.ClassDef) and node.name.lower().startswith("test") for node in nodes):
        return False
    functions = [node for node in nodes if isinstance(node, Definition)]
    return bool(functions) and all(map(_is_check, functions))


def _is_check(function: ast.AST) -> bool:
    """Return whether a function contains an assertion and returns nothing."""
    nodes = list(ast.walk(function))
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    return not returns and any(isinstance(node, ast.Assert) for node in nodes)
