"""Static information about Python source: its definitions, and names that are never defined."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

_HEADER = re.compile(r"([ \t]*)(async[ \t]+def|def|class)[ \t]+(\w+)")
_MODULE_NAMES = {"__annotations__", "__builtins__", "__class__", "__debug__", "__doc__", "__file__", "__loader__"}
_MODULE_NAMES |= {"__module__", "__name__", "__package__", "__path__", "__qualname__", "__spec__"}
_OTHER_BUILTINS = {"WindowsError", "reveal_type", "unicode", "basestring", "long", "xrange", "raw_input", "unichr"}


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class: its dotted name within the file, and its first (decorator) and last line."""

    name: str
    kind: str
    line: int
    end: int
    header: int
    """The line of its `def` or `class`."""


_ONE_AT_A_TIME = Lock()


def definitions(source: str) -> list[Definition]:
    """Return all functions and classes in order of their lines, including nested ones.

    If this interpreter cannot parse the source (other Python versions, broken files), definitions are found by
    indentation.
    """
    tree = parse(source)
    found = _from_tree(tree, "") if tree else _from_indentation(source.split("\n"))
    return sorted(found, key=lambda definition: (definition.line, -definition.end))


def parse(source: str | bytes) -> ast.Module | None:
    """Return the syntax tree, or None if this interpreter cannot parse the source.

    Thread-safe: only one thread parses at a time, since CPython 3.11 counts the depth of all syntax trees in one
    variable and concurrent parsing raises SystemError.
    """
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _from_tree(node: ast.AST, prefix: str) -> Iterator[Definition]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            kind = "class" if isinstance(child, ast.ClassDef) else "def"
            yield Definition(name, kind, first, child.end_lineno or child.lineno, child.lineno)
            yield from _from_tree(child, f"{name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _from_tree(child, prefix)


def _from_indentation(lines: list[str]) -> Iterator[Definition]:
    """Yield definitions, each up to the next line that is not indented further; text inside strings may cause wrong
    results."""
    open_: list[tuple[int, str, str, int]] = []  # indent, dotted name, kind, line
    last = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line.expandtabs()) - len(line.expandtabs().lstrip())
        while open_ and indent <= open_[-1][0] and not line.lstrip().startswith((")", "]", "}")):
            _, name, kind, first = open_.pop()
            yield Definition(name, kind, first, last, first)
        if header := _HEADER.match(line):
            prefix = f"{open_[-1][1]}." if open_ else ""
            open_.append((indent, prefix + header[3], "class" if header[2] == "class" else "def", number))
        last = number
    for _, name, kind, first in open_:
        yield Definition(name, kind, first, last, first)


def is_docstring(statement: ast.stmt) -> bool:
    """Return whether a statement consists only of a string."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def undefined_names(source: str) -> dict[str, int]:
    """Return names that are read but never defined, with the first line on which each is read.

    The result is empty if the source does not parse or has a star import.
    """
    tree = parse(source)
    if tree is None or any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)):
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = symtable.symtable(source, "<source>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return {}
    read: set[str] = set()
    defined = set(dir(builtins)) | _MODULE_NAMES | _OTHER_BUILTINS
    for scope in _scopes(module):
        for symbol in scope.get_symbols():
            outermost = scope is module or symbol.is_global()
            if outermost and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                defined.add(symbol.get_name())
            elif outermost and symbol.is_referenced():
                read.add(symbol.get_name())
    missing = read - defined
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in missing:
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
    return dict(sorted(lines.items(), key=lambda item: (item[1], item[0])))


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)
