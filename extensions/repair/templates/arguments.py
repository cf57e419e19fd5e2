"""Templates that add an argument to a call or remove one."""

from __future__ import annotations

import ast

from extensions.experiment.source.source_file import Definition, Draft
from extensions.repair.analysis.donor_code import OBJECTS
from extensions.repair.analysis.name_usage import interleave, names_of, unique
from extensions.repair.candidates.name_edits import removal_draft
from extensions.repair.candidates.template_site import Drafts, TemplateSite

MOST_GIVEN = 12
ORDERS = ("sorted", "sort", "min", "max")
UNSURE = 0.3
"""The weight of an argument for a call with an unknown signature."""


def argument_passed(spot: TemplateSite) -> Drafts:
    """Pass on a parameter: `f(a)` → `f(a, key=key)`, `f(a, key=self.key)`, `f(a, **options)`."""
    yield from interleave(_passed(spot, node) for node in _calls(spot))


def _passed(spot: TemplateSite, node: ast.Call) -> Drafts:
    given = {one.arg for one in node.keywords}
    names, signatures = spot.names(node), spot.donors.library.signatures(node.func)
    for keyword in _keywords(spot, node):
        values = [keyword] if keyword in names else []
        values += [f"{owner}.{keyword}" for owner in OBJECTS if keyword in spot.members(ast.Name(owner))]
        for value in values:
            yield _appended(spot, node, f"{keyword}={value}")
    if None not in given and (not signatures or any(one.open_keywords for one in signatures)):
        for holder in ast.walk(spot.donors.holder):
            if isinstance(holder, Definition) and holder.args.kwarg and holder.args.kwarg.arg in names:
                draft = _appended(spot, node, f"**{holder.args.kwarg.arg}")
                yield draft.at(UNSURE) if draft and not signatures else draft
    if not signatures:
        used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        for name in names_of(spot.donors.holder):
            if name not in OBJECTS and name not in given and name not in used and name in names:
                draft = _appended(spot, node, f"{name}={name}")
                yield draft and draft.at(UNSURE / 3)


def argument_copied(spot: TemplateSite) -> Drafts:
    """Add an argument that another call of the same function in the file has: `seek(0)` → `seek(0, END)`."""
    yield from interleave(_copied(spot, node) for node in _calls(spot))


def _copied(spot: TemplateSite, node: ast.Call) -> Drafts:
    mine = [spot.text(one) for one in node.args]
    given = {one.arg for one in node.keywords}
    known = spot.donors.visible
    for other in spot.donors.library.calls_like(spot.source, node):
        words = [word for word in other.keywords if word.arg and word.arg not in given]
        for word in words:
            if _names(word.value) & spot.donors.local <= known and spot.is_short(word.value):
                yield _appended(spot, node, f"{word.arg}={spot.text(word.value)}")
        if len(other.args) == len(mine) + 1 and not any(isinstance(one, ast.Starred) for one in other.args):
            for place, one in enumerate(other.args):
                if _names(one) & spot.donors.local <= known and spot.is_short(one):
                    yield _put(spot, node, place, spot.text(one))


def argument_added(spot: TemplateSite) -> Drafts:
    """Add an argument that the signature allows: a name or short expression in scope, or a constant for a keyword."""
    yield from interleave(_added(spot, node) for node in _calls(spot))


def _added(spot: TemplateSite, node: ast.Call) -> Drafts:
    signatures = spot.donors.library.signatures(node.func)
    room = any(one.open_end or len(one.positional) > len(node.args) for one in signatures)
    if (room or not signatures) and not node.keywords:
        for text in spot.atoms(node)[:MOST_GIVEN]:
            for place in sorted({0, len(node.args)}, reverse=True):
                draft = _put(spot, node, place, text)
                yield draft if room or draft is None else draft.at(UNSURE)
    names, constants = spot.names(node)[:MOST_GIVEN], spot.donors.constants[:4]
    for keyword in _keywords(spot, node):
        for value in unique(["True", "False", "None", *names, *constants]):
            yield _appended(spot, node, f"{keyword}={value}")


def ordering(spot: TemplateSite) -> Drafts:
    """Pass an order to a call that sorts or compares: `max(d)` → `max(d, key=d.get)`, `sorted(x)` → `sorted(x,
    key=len)`, `x.sort()` → `x.sort(reverse=True)`."""
    for node in _calls(spot):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else spot.text(node.func)
        if name in ORDERS:
            named = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
            mappings = [one for one in spot.donors.plain if "mapping" in spot.scope.of(one)]
            known = [one for one in unique([*named, *mappings]) if one in spot.donors.plain]
            words = ["reverse=True"] if name not in ("min", "max") else []
            words += [f"key={one}.get" for one in known if spot.scope.fits(one, frozenset(["mapping"]))]
            words += ["key=len", "key=lambda item: item[1]", "key=lambda item: item[0]", "key=lambda item: -item"]
            for word in words:
                if not any(word.startswith(f"{one.arg}=") for one in node.keywords):
                    yield _appended(spot, node, word)


def argument_taken(spot: TemplateSite) -> Drafts:
    """Remove an argument, keywords first."""
    for node in _calls(spot):
        parts: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        for place in range(len(parts) - 1, -1, -1):
            yield removal_draft(spot, node, parts, place)


def _keywords(spot: TemplateSite, node: ast.Call) -> list[str]:
    """Return the parameters that a call leaves out, and the keywords that other calls of a function with this name
    pass."""
    library = spot.donors.library
    signatures = library.signatures(node.func)
    left = [one for sign in signatures for one in (*sign.positional[len(node.args) :], *sign.keyword_only)]
    name = spot.text(node.func).rpartition(".")[2]
    usual = [one for one in library.keywords.get(name, ()) if not signatures or one in left]
    given = {one.arg for one in node.keywords}
    return [one for one in unique([*left, *usual]) if one not in given]


def _calls(spot: TemplateSite) -> list[ast.Call]:
    return [node for node in spot.nodes if isinstance(node, ast.Call)]


def _names(node: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _put(spot: TemplateSite, node: ast.Call, place: int, text: str) -> Draft | None:
    """Insert an argument before the one at this position."""
    if place >= len(node.args):
        return _appended(spot, node, text) if not node.keywords else None
    start = spot.source.span(node.args[place])[0]
    before = spot.source.span(node.args[place - 1] if place else node.func)[1]
    if isinstance(node.args[place], ast.GeneratorExp) or spot.source.data[before:start].count(b"(") > (place == 0):
        return None
    return Draft(f"pass `{text}` to `{spot.text(node.func)}`", ((start, start, f"{text}, "),))


def _appended(spot: TemplateSite, node: ast.Call, text: str) -> Draft | None:
    """Append an argument; return None if the last argument is a generator expression without its own parentheses."""
    data, end = spot.source.data, spot.source.span(node)[1] - 1
    last: list[ast.expr] = [*node.args, *(one.value for one in node.keywords)]
    position = scan = max((spot.source.span(one)[1] for one in last), default=end)
    while scan < end and data[scan] in b" \t\r\n)":
        scan += 1
        position = scan if data[scan - 1] == ord(")") else position
    if position > end:
        return None
    joint = ", " if last else ""
    return Draft(f"pass `{text}` to `{spot.text(node.func)}`", ((position, position, joint + text),))
