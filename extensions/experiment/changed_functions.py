"""Functions of two versions of a Python file, and which of them differ."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from aci.repository.python_source import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
AGAIN = "'"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The text of a Python file before and after the patch; "" if it does not exist."""

    path: str
    before: str
    after: str


def changed_functions(file: ChangedFile) -> list[dict[str, Any]]:
    """Return the name and lines of each function that exists in both versions and differs; every function of the file
    if code outside of functions differs."""
    old, new = parse(file.before), parse(file.after)
    if old is None or new is None:
        return []
    before, after = functions_of(old), functions_of(new)
    whole = without_functions(old) != without_functions(new)
    return [
        _described(name, node)
        for name, node in after.items()
        if name in before and (whole or ast.dump(before[name]) != ast.dump(node))
    ]


def added_functions(file: ChangedFile) -> list[dict[str, Any]]:
    """Return the name and lines of each function that exists only in the version after the patch."""
    old, new = parse(file.before), parse(file.after)
    if old is None or new is None:
        return []
    before = functions_of(old)
    return [_described(name, node) for name, node in functions_of(new).items() if name not in before]


def _described(name: str, node: Function) -> dict[str, Any]:
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return {"name": node.name, "qualname": name.replace(AGAIN, ""), "lines": [first, node.lineno]}


def functions_of(node: ast.AST, prefix: str = "") -> dict[str, Function]:
    """Return the outermost functions and the methods of a module, by dotted name.

    AGAIN follows the name of a function for each earlier one of the same name, such as a property's getter.
    """
    found: dict[str, Function] = {}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            inside: dict[str, Function] = {f"{prefix}{child.name}": child}
        elif isinstance(child, ast.ClassDef):
            inside = functions_of(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            inside = functions_of(child, prefix)
        else:
            continue
        for name, function in inside.items():
            while name in found:
                name += AGAIN
            found[name] = function
    return found


class _Outline(ast.NodeTransformer):
    """Removes functions and the text of imports, so that only other code is left."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        return None

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None


def imports_of(tree: ast.Module) -> list[str]:
    return sorted(ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def without_functions(tree: ast.Module) -> str:
    """Return a module's code outside of functions, without imports, for comparison."""
    return ast.dump(_Outline().visit(deepcopy(tree)))


def names_outside_functions(tree: ast.Module) -> set[str]:
    """Return the names that code outside of functions uses, decorators of functions included: it runs on import."""
    outline = _Outline().visit(deepcopy(tree))
    decorators = [one for function in functions_of(tree).values() for one in function.decorator_list]
    return {name for part in (outline, *decorators) for name in used_names(part)}


def used_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names of variables and attributes below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
