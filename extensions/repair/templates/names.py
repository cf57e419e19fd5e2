"""Templates that replace a name, an attribute or a short expression with another one."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from extensions.experiment.source.source_file import ATOM, Draft, dotted_name, rank
from extensions.repair.analysis.donor_code import OBJECTS
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.analysis.value_types import UNKNOWN
from extensions.repair.candidates.name_edits import renamed_attribute, shared_letters
from extensions.repair.candidates.template_site import ODD, Drafts, TemplateSite

MOST_MEMBERS = 40
FAR = 0.3
"""The weight of a name from outside the function."""


def variable(spot: TemplateSite) -> Drafts:
    """Replace a name that is read or written by another name in scope, names of a similar type first."""
    yield from interleave(_named(spot, node) for node in spot.nodes if isinstance(node, ast.Name))


def _named(spot: TemplateSite, node: ast.Name) -> Drafts:
    parent = spot.source.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if called and node.id not in spot.donors.names:
        return
    written = not isinstance(node.ctx, ast.Load)
    names = [name for name in (spot.donors.names if written else spot.names(node)) if name != node.id]
    if node in spot.expected:
        yield from spot.typed(node, names)
    else:
        yield from _replaced(spot, node, names)
    if not called and not written:
        yield from _replaced(spot, node, [name for name in spot.donors.globals if name != node.id], FAR)


def _replaced(spot: TemplateSite, node: ast.expr, texts: Iterable[str], weight: float = 1.0) -> Drafts:
    for text in texts:
        yield spot.source.replace(node, text).at(weight)


def attribute(spot: TemplateSite) -> Drafts:
    """Replace an attribute by another one of the object: `a.x` → `a.y`, attributes of a similar type and name first."""
    yield from interleave(_attributes(spot, node) for node in spot.nodes if isinstance(node, ast.Attribute))


def _attributes(spot: TemplateSite, node: ast.Attribute) -> Drafts:
    parent, library = spot.source.parents.get(node), spot.donors.library
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    owner = spot.text(node.value)
    plain = [name for name in spot.members(node.value) if name not in library.methods or name in library.properties]
    used = [name for name in library.attributes_of(spot.source, owner) if name not in library.methods]
    near = sorted(
        (name for name in unique([*plain, *used]) if name != node.attr),
        key=lambda name: -shared_letters(name, node.attr),
    )
    expected = spot.expected.get(node, UNKNOWN)
    for name in near[:MOST_MEMBERS]:
        draft = renamed_attribute(spot, node, name)
        yield draft if spot.scope.fits(f"{owner}.{name}", expected) else draft.at(ODD)
    start = spot.source.span(node)[0]
    if not isinstance(node.ctx, ast.Load):
        return
    for name in spot.names(node):
        if name != owner and node.attr in library.attributes_of(spot.source, name):
            yield Draft(
                f"replace `{spot.text(node)}` by `{name}.{node.attr}`",
                ((start, spot.source.span(node.value)[1], name),),
            )


def member(spot: TemplateSite) -> Drafts:
    """Replace a name by an attribute with the same name, or the reverse: `x` ↔ `self.x`."""
    for node in spot.nodes:
        if isinstance(node, ast.Name):
            for owner in OBJECTS:
                if owner in spot.donors.names and node.id not in OBJECTS and node.id in spot.members(ast.Name(owner)):
                    yield spot.source.replace(node, f"{owner}.{node.id}")
        elif isinstance(node, ast.Attribute) and dotted_name(node.value) in OBJECTS and node.attr in spot.names(node):
            yield spot.source.replace(node, node.attr)


def expression(spot: TemplateSite) -> Drafts:
    """Replace a value by a short expression of the function, or an expression by a name."""
    kinds = ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.Name | ast.Tuple | ast.IfExp | ast.ListComp
    yield from interleave(_expressed(spot, node) for node in spot.values if isinstance(node, kinds))


def _expressed(spot: TemplateSite, node: ast.expr) -> Drafts:
    old, is_name = spot.text(node), isinstance(node, ast.Name)
    yield from spot.typed(
        node, [text for text in spot.atoms(node) if text != old and not (is_name and text.isidentifier())]
    )


def own_value(spot: TemplateSite) -> Drafts:
    """Replace a value by an attribute of the object, or by a call of one of its methods without arguments: `len(x)` →
    `self.size`."""
    owner = next((one for one in OBJECTS if one in spot.donors.names), "")
    if not owner:
        return
    library = spot.donors.library
    texts = []
    for name in spot.members(ast.Name(owner)):
        plain = name not in library.methods or name in library.properties
        if plain or any(one.takes(0) and one.owner for one in library.methods[name]):
            texts.append(f"{owner}.{name}" if plain else f"{owner}.{name}()")
    kinds = ast.Subscript | ast.Call | ast.BinOp | ast.Name | ast.Constant | ast.BoolOp | ast.Compare
    nodes = [node for node in spot.values if isinstance(node, kinds) and spot.text(node) not in OBJECTS]
    yield from interleave(spot.typed(node, [one for one in texts if "__" not in one][:MOST_MEMBERS]) for node in nodes)


def target(spot: TemplateSite) -> Drafts:
    """Replace an assignment target by another target of the function, or by an element or attribute of one of the
    function's names."""
    statement = spot.statement
    if not isinstance(statement, ast.Assign | ast.AugAssign):
        return
    stores = [text for text in spot.donors.terms if rank(text) == ATOM and "(" not in text]
    keys = unique([text.partition("[")[2][:-1] for text in stores if text.endswith("]")] + spot.donors.plain)
    keys += [
        f"{name} {step} 1"
        for name in spot.donors.plain
        if spot.scope.fits(name, frozenset(["number"]))
        for step in "+-"
    ]
    made = [f"{name}[{key}]" for name in spot.donors.sized for key in keys if key not in ("", name)]
    written = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    for place in written:
        for text in unique([*stores, *made]):
            if text != spot.text(place):
                yield spot.source.replace(place, text)
