"""Detection of signature changes in a Python file that may break existing calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aci.repository.python_source import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
POSITIONAL = ("positional", "either")
REMOVED = "was removed"


class Parameter(NamedTuple):
    """A parameter of a function."""

    name: str
    kind: str
    """`positional` (positional-only), `either`, `keyword` (keyword-only), `rest` (`*args`) or `names` (`**kwargs`)."""
    required: bool


def breaking_changes(before: str, after: str) -> dict[str, str]:
    """Return descriptions of the breaking changes of functions, by dotted name.

    The result is empty if this interpreter cannot parse one of the files. A function that was moved and is now imported
    is not reported.
    """
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return {}
    now = dict(_functions(new, ""))
    bound = _bound_names(new)
    found = {}
    for name, function in _functions(old, ""):
        if name in now:
            found[name] = "; ".join(breaking_differences(function, now[name]))
        elif name.rpartition(".")[2] not in bound:
            found[name] = REMOVED
    return {name: words for name, words in found.items() if words}


def breaking_differences(before: Function, after: Function) -> list[str]:
    """Return descriptions of the breaking changes between two function headers."""
    old, new = parameters(before.args), parameters(after.args)
    found = [*_removed(old, new), *_moved(old, new), *_newly_required(old, new)]
    if isinstance(after, ast.AsyncFunctionDef) != isinstance(before, ast.AsyncFunctionDef):
        found.append("must be awaited" if isinstance(after, ast.AsyncFunctionDef) else "must no longer be awaited")
    return found


def parameters(given: ast.arguments) -> list[Parameter]:
    """Return the parameters of a function in order."""
    positional = [*((one, "positional") for one in given.posonlyargs), *((one, "either") for one in given.args)]
    required = len(positional) - len(given.defaults)
    found = [Parameter(one.arg, kind, n < required) for n, (one, kind) in enumerate(positional)]
    found += [Parameter(given.vararg.arg, "rest", False)] if given.vararg else []
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [Parameter(one.arg, "keyword", default is None) for one, default in pairs]
    found += [Parameter(given.kwarg.arg, "names", False)] if given.kwarg else []
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """Yield functions and methods with their dotted names, except those inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from _functions(child, prefix)


def _bound_names(tree: ast.Module) -> set[str]:
    """Return all names that a file binds anywhere, by definition, import or assignment."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _renamed(old: Sequence[Parameter], new: Sequence[Parameter]) -> dict[str, str]:
    """Return the new name of each renamed parameter: the old name is gone, and a new name has its position."""
    before, after = {one.name for one in old}, {one.name for one in new}
    pairs = zip(old, new, strict=False)
    return {
        one.name: other.name
        for one, other in pairs
        if one.name not in after and other.name not in before and one.kind == other.kind
    }


def _removed(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    """Describe the parameters that were removed or renamed."""
    kept, renamed = {one.name for one in new}, _renamed(old, new)
    kinds = {one.kind for one in new}
    found = []
    for one in old:
        if one.kind in ("rest", "names"):
            found += [] if one.kind in kinds else [f"{'*' if one.kind == 'rest' else '**'}{one.name} was removed"]
        elif one.name in renamed:
            found += [f"{one.name} is now {renamed[one.name]}"] if one.kind != "positional" else []
        elif one.name not in kept and not (one.kind == "keyword" and "names" in kinds):
            found.append(f"{one.name} was removed")
    return found


def _moved(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    """Describe the parameters that must be passed differently, or whose positions changed."""
    now = {one.name: one for one in new}
    found = []
    for one in old:
        kind = now[one.name].kind if one.name in now else one.kind
        if one.kind in POSITIONAL and kind == "keyword":
            found.append(f"{one.name} is keyword-only")
        elif one.kind in ("either", "keyword") and kind == "positional":
            found.append(f"{one.name} is positional-only")
    renamed = _renamed(old, new)
    places = [renamed.get(one.name, one.name) for one in old if one.kind in POSITIONAL]
    kept = [one.name for one in new if one.kind in POSITIONAL and one.name in places]
    order = [one for one in places if one in kept]
    moved = [name for name, other in zip(kept, order, strict=True) if name != other]
    inserted = [
        one.name
        for at, one in enumerate(new)
        if one.kind in POSITIONAL and one.name not in places and any(later.name in kept for later in new[at:])
    ]
    found += [f"{', '.join(moved)} are in a different order"] if moved else []
    verb = "were" if len(inserted) > 1 else "was"
    found += [f"{', '.join(inserted)} {verb} inserted before existing parameters"] if inserted else []
    return found


def _newly_required(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    """Describe the parameters that have become required."""
    required = {one.name for one in old if one.required}
    required |= {other for name, other in _renamed(old, new).items() if name in required}
    return [f"{one.name} is required" for one in new if one.required and one.name not in required]
