"""The functions and classes of the source that tests run, and the code of these tests."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

from extensions.experiment.source.source_file import Definition, Source, statements
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.lab.synthesis.source_repository import SourceRepository

LEAST_STATEMENTS = 3
FunctionOrClass = Definition | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Place:
    """A function or class that tests run, directly in its module or class."""

    file: Source
    node: FunctionOrClass
    qualname: str

    @property
    def symbol(self) -> str:
        return f"{self.file.path}:{self.qualname}"

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, Definition)

    @property
    def lines(self) -> range:
        return range(self.node.lineno, (self.node.end_lineno or self.node.lineno) + 1)

    @property
    def is_public(self) -> bool:
        return not any(name.startswith("_") for name in self.qualname.split("."))

    @property
    def functions(self) -> list[Definition]:
        """The function itself, or the methods of the class."""
        nodes = self.node.body if isinstance(self.node, ast.ClassDef) else [self.node]
        return [one for one in nodes if isinstance(one, Definition)]

    @property
    def body_lines(self) -> frozenset[int]:
        """The lines of the bodies of these functions; a header runs when its file is imported."""
        return frozenset(
            line for one in self.functions for line in range(one.body[0].lineno, (one.end_lineno or one.lineno) + 1)
        )


def tested_places(source: SourceRepository) -> list[Place]:
    """Return the functions and classes that tests run, without tiny ones."""
    found = []
    for file in source.python_sources:
        places = list(_definitions(file, file.tree, ""))
        count = Counter(one.qualname for one in places)
        found += [
            one
            for one in places
            if count[one.qualname] == 1  # no property with a setter, no overloads
            and sum(len(list(statements(function))) for function in one.functions) >= LEAST_STATEMENTS
            and source.is_run(file.path, one.body_lines)
        ]
    return found


def test_code(source: SourceRepository, test: str) -> str:
    """Return the code of a test of pytest's; "" if it cannot be found."""
    path, _, rest = test.partition("::")
    try:
        text = source.trees.read(source.tree, path).decode()
        node: ast.AST | None = parse_module(text)
    except (FileNotFoundError, IsADirectoryError, *UNREADABLE):
        return ""
    for name in rest.partition("[")[0].split("::"):
        node = next((one for one in getattr(node, "body", []) if getattr(one, "name", "") == name), None)
    return dedent(ast.get_source_segment(text, node, padded=True) or "") if node else ""


def _definitions(file: Source, holder: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Place]:
    for node in holder.body:
        if isinstance(node, FunctionOrClass):
            yield Place(file, node, prefix + node.name)
        if isinstance(node, ast.ClassDef):
            yield from _definitions(file, node, f"{prefix}{node.name}.")
