"""Undefined and unused names of a function: names that are read but never bound, and names that are bound but never
read.

If a statement is missing from a function, the names that it should bind are undefined, and the names that it should
read may be unused. Linters report such names as `undefined name` and `unused variable`; here, they indicate what a
missing statement should contain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from extensions.experiment.source.code_blocks import BUILTINS, owner
from extensions.experiment.source.source_file import Definition, Source
from extensions.repair.analysis.name_bindings import bound_names
from extensions.repair.analysis.name_usage import unique
from extensions.repair.analysis.weak_cache import cache_by_first

IGNORED = ("self", "cls", "_", "args", "kwargs")


@dataclass(frozen=True, slots=True)
class UnboundNames:
    """The undefined and unused names of a function, in order of first use.

    `missing` names are read but never bound. `idle` names are parameters and local names that are never read. `unused`
    names are imports and private names of the module that the module never reads. `unset` names are attributes of
    `self` that the class reads but never sets or defines; only classes without base classes are examined.
    """

    missing: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


@cache_by_first
def find_unbound_names(source: Source, holder: ast.AST) -> UnboundNames:
    """Return the undefined and unused names of one function, and of the module and class that contain it."""
    bound, module = set(bindings(holder)), module_names(source)
    inside = [node for part in getattr(holder, "body", [holder]) for node in ast.walk(part)]
    reads = [node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    known = bound | module | BUILTINS
    missing = [name for name in unique(reads) if name not in known and "*" not in module]
    read = set(reads) | set(reads_by_name(holder))
    idle = [name for name in unique(bindings(holder)) if name not in read and name not in IGNORED]
    return UnboundNames(tuple(missing), tuple(idle), _unused(source), _unset(source, holder))


@cache_by_first
def bindings(node: ast.AST) -> tuple[str, ...]:
    """Return the names that a function or statement binds, including duplicates, with parameters first."""
    inside = [one for one in ast.walk(node) if one is not node or not isinstance(node, Definition | ast.ClassDef)]
    given = [one.arg for one in inside if isinstance(one, ast.arg)]
    return (*given, *(name for one in inside if not isinstance(one, ast.arg) for name in bound_names(one)))


@cache_by_first
def module_names(source: Source) -> frozenset[str]:
    """Return the module's global names, including those bound in blocks such as `if` and those declared `global` in
    functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(source.tree.body)
    while waiting:
        node = waiting.pop()
        found.update(bound_names(node))
        if isinstance(node, Definition | ast.ClassDef):
            continue
        waiting += ast.iter_child_nodes(node)
    found.update(("__name__", "__file__", "__doc__"))
    found.update(name for node in ast.walk(source.tree) if isinstance(node, ast.Global) for name in node.names)
    return frozenset(found)


def reads_by_name(holder: ast.AST) -> Iterator[str]:
    """Yield names that are used without a `Load` node in the tree, as in `n += 1`, `global n` and `del n`."""
    for node in ast.walk(holder):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            yield node.id


@cache_by_first
def _unused(source: Source) -> tuple[str, ...]:
    read = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    read |= {str(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Constant)}
    found: list[str] = []
    for statement in source.tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found += [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
        elif isinstance(statement, ast.FunctionDef) and statement.name.startswith("_"):
            found.append(statement.name)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found += [statement.targets[0].id] if statement.targets[0].id.startswith("_") else []
    return tuple(name for name in unique(found) if name not in read and name not in ("annotations", "*"))


def _unset(source: Source, holder: ast.AST) -> tuple[str, ...]:
    body = owner(source, holder)
    if body is None or any(not (isinstance(base, ast.Name) and base.id == "object") for base in body.bases):
        return ()
    attributes = [
        node
        for node in ast.walk(body)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
    if "__getattr__" in {getattr(node, "name", "") for node in body.body}:
        return ()
    known = set(bindings(body)) | {node.attr for node in attributes if not isinstance(node.ctx, ast.Load)}
    read = unique(node.attr for node in attributes if isinstance(node.ctx, ast.Load))
    return tuple(name for name in read if name not in known and not name.startswith("__"))
