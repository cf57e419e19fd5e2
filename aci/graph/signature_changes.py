"""What changed in the signatures of a file, as far as it can break who calls them. For Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aci.source import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
BY_PLACE = ("positional", "either")
GONE = "is gone"


class Parameter(NamedTuple):
    name: str
    kind: str
    """`positional` (by place only), `either`, `keyword` (by name only), `rest` (`*args`), `names` (`**kwargs`)."""
    required: bool


def breaking_changes(before: str, after: str) -> dict[str, str]:
    """By dotted name: what of a function's new header may break a call that was right, in words.

    Nothing of what this interpreter cannot parse, nor of a function that stands elsewhere now and is imported.
    """
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return {}
    now = dict(_functions(new, ""))
    bound = _bound(new)
    told = {}
    for name, function in _functions(old, ""):
        if name in now:
            told[name] = "; ".join(breaking(function, now[name]))
        elif name.rpartition(".")[2] not in bound:
            told[name] = GONE
    return {name: words for name, words in told.items() if words}


def breaking(before: Function, after: Function) -> list[str]:
    """What of a change from one header to another may break a call that was right."""
    old, new = parameters(before.args), parameters(after.args)
    told = [*_lost(old, new), *_moved(old, new), *_demanded(old, new)]
    if isinstance(after, ast.AsyncFunctionDef) != isinstance(before, ast.AsyncFunctionDef):
        told.append("must be awaited" if isinstance(after, ast.AsyncFunctionDef) else "is no longer awaited")
    return told


def parameters(given: ast.arguments) -> list[Parameter]:
    by_place = [*((one, "positional") for one in given.posonlyargs), *((one, "either") for one in given.args)]
    required = len(by_place) - len(given.defaults)
    found = [Parameter(one.arg, kind, n < required) for n, (one, kind) in enumerate(by_place)]
    found += [Parameter(given.vararg.arg, "rest", False)] if given.vararg else []
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [Parameter(one.arg, "keyword", default is None) for one, default in pairs]
    found += [Parameter(given.kwarg.arg, "names", False)] if given.kwarg else []
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """Functions and methods by dotted name; those inside functions are nobody else's."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from _functions(child, prefix)


def _bound(tree: ast.Module) -> set[str]:
    """All names that something in a file is bound to: by definition, import or assignment, wherever it stands."""
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
    """Old to new names of parameters that stand where another stood of which nothing is left."""
    before, after = {one.name for one in old}, {one.name for one in new}
    pairs = zip(old, new, strict=False)
    return {
        one.name: other.name
        for one, other in pairs
        if one.name not in after and other.name not in before and one.kind == other.kind
    }


def _lost(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    kept, renamed = {one.name for one in new}, _renamed(old, new)
    takes = {one.kind for one in new}
    told = []
    for one in old:
        if one.kind in ("rest", "names"):
            told += [] if one.kind in takes else [f"{'*' if one.kind == 'rest' else '**'}{one.name} is gone"]
        elif one.name in renamed:
            told += [f"{one.name} is now {renamed[one.name]}"] if one.kind != "positional" else []
        elif one.name not in kept and not (one.kind == "keyword" and "names" in takes):
            told.append(f"{one.name} is gone")
    return told


def _moved(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    """Parameters that may no longer be given as they could be, or stand behind others than before."""
    now = {one.name: one for one in new}
    told = []
    for one in old:
        kind = now[one.name].kind if one.name in now else one.kind
        if one.kind in BY_PLACE and kind == "keyword":
            told.append(f"{one.name} is by name only")
        elif one.kind in ("either", "keyword") and kind == "positional":
            told.append(f"{one.name} is by place only")
    renamed = _renamed(old, new)
    places = [renamed.get(one.name, one.name) for one in old if one.kind in BY_PLACE]
    kept = [one.name for one in new if one.kind in BY_PLACE and one.name in places]
    order = [one for one in places if one in kept]
    moved = [name for name, other in zip(kept, order, strict=True) if name != other]
    inserted = [
        one.name
        for at, one in enumerate(new)
        if one.kind in BY_PLACE and one.name not in places and any(later.name in kept for later in new[at:])
    ]
    told += [f"{', '.join(moved)} stand in another order"] if moved else []
    told += [f"{', '.join(inserted)} stands before others that were there"] if inserted else []
    return told


def _demanded(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[str]:
    """Parameters that must be given now and did not have to be."""
    must = {one.name for one in old if one.required}
    must |= {other for name, other in _renamed(old, new).items() if name in must}
    return [f"{one.name} must be given" for one in new if one.required and one.name not in must]
