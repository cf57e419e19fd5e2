"""Templates that change displays, comprehensions and f-strings: entries, conditions, keys, conversions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from extensions.experiment.source.source_file import ATOM, Draft, parenthesize, rank
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.analysis.value_types import TEXT
from extensions.repair.candidates.name_edits import removal_draft
from extensions.repair.candidates.template_site import Drafts, TemplateSite

MOST_KEYS, MOST_VALUES, MOST_TESTS = 24, 6, 30
Several = ast.List | ast.Tuple | ast.Set
CHECKS = ("isalnum", "isalpha", "isdigit")
TEST = rank("a or b")


def element(spot: TemplateSite) -> Drafts:
    """Add or remove an element of a list, tuple or set: `(a, b)` → `(a,)`, `(a, b, c)`."""
    displays = [node for node in spot.nodes if isinstance(node, Several) and node.elts]
    nodes = [node for node in displays if not any(isinstance(one, ast.Slice) for one in node.elts)]
    yield from interleave(
        _elements(spot, node) for node in nodes if isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    )


def _elements(spot: TemplateSite, node: Several) -> Drafts:
    if len(node.elts) > 1:
        for place in range(len(node.elts)):
            if len(node.elts) == 2 and isinstance(node, ast.Tuple):
                yield spot.source.replace(node, f"({spot.text(node.elts[1 - place])},)")
            else:
                yield removal_draft(spot, node, node.elts, place)
    last = node.elts[-1]
    kinds = spot.scope.kinds(last)
    same = all(isinstance(one, ast.Constant) for one in node.elts)
    donors = (
        [*spot.donors.library.hints, *spot.donors.constants] if same else [*spot.atoms(last), *spot.donors.constants]
    )
    there = {spot.text(one) for one in node.elts}
    first, end = spot.source.span(node.elts[0])[0], spot.source.span(last)[1]
    begins, ends = spot.source.span(node)
    own = isinstance(node, ast.Tuple) and rank(spot.text(node)) == ATOM
    if spot.source.data[end:ends].count(b")") > own:
        return
    inside = spot.source.data[begins:first].count(b"(") > own
    for text in unique(donors)[:MOST_KEYS]:
        if text not in there and spot.scope.fits(text, kinds):
            yield Draft(
                f"add `{text}` to the end of `{spot.text(node)[:40]}`", ((end, end, f", {parenthesize(text, TEST)}"),)
            )
            if not same and not inside:
                yield Draft(
                    f"add `{text}` to the start of `{spot.text(node)[:40]}`",
                    ((first, first, f"{parenthesize(text, TEST)}, "),),
                )


def entry(spot: TemplateSite) -> Drafts:
    """Add or remove an entry of a dictionary. A new entry has the form of the last entry, with another name."""
    yield from interleave(_entries(spot, node) for node in spot.values if isinstance(node, ast.Dict) and node.values)


def _entries(spot: TemplateSite, node: ast.Dict) -> Drafts:
    data, source = spot.source.data, spot.source
    spans = [
        (source.span(key)[0], source.span(value)[1]) for key, value in zip(node.keys, node.values, strict=True) if key
    ]
    if len(spans) != len(node.values):
        return
    for place, (start, end) in enumerate(spans):
        if place + 1 < len(spans):
            span = start, spans[place + 1][0]
        else:
            span = (spans[place - 1][1] if place else start), end
        if data[slice(*span)].count(b"(") == data[slice(*span)].count(b")"):
            yield Draft(f"remove `{data[start:end].decode()[:40]}` from the dictionary", ((*span, ""),))
    start, end = spans[-1]
    margin = data[source.line_start(start) : start]
    joint = f",{source.newline}{margin.decode()}" if not margin.strip() and len(spans) > 1 else ", "
    there = {spot.text(key) for key in node.keys if key}
    for key, value in _new_entries(spot, node):
        if key not in there:
            yield Draft(f"add `{key}: {value}` to the dictionary", ((end, end, f"{joint}{key}: {value}"),))


def _new_entries(spot: TemplateSite, node: ast.Dict) -> Iterator[tuple[str, str]]:
    key, value = node.keys[-1], node.values[-1]
    assert key is not None
    library = spot.donors.library
    literal = isinstance(key, ast.Constant) and isinstance(key.value, str)
    old, text = spot.text(key), spot.text(value)
    if literal and isinstance(key, ast.Constant) and str(key.value).isidentifier():
        word = re.compile(rf"\b{re.escape(str(key.value))}\b")
        names = [*spot.names(node), *library.members.get(spot.owner, ()), *(_word(one) for one in library.hints)]
        if word.search(text) and "\n" not in text:
            for name in unique(names)[: 2 * MOST_KEYS]:
                if name.isidentifier():
                    yield repr(name), word.sub(name, text)
        for name in spot.donors.plain:
            yield repr(name), name
    keys = [one for one in [*library.hints, *spot.donors.constants, *spot.atoms(node)] if one != old]
    kinds = spot.scope.kinds(key)
    values = [text] if "\n" not in text else []
    values += [one for one in spot.atoms(node)[:MOST_VALUES] if spot.scope.fits(one, spot.scope.kinds(value))]
    for one in [one for one in unique(keys) if spot.scope.fits(one, kinds)][:MOST_KEYS]:
        for new in unique([*values, one, "None", "True"]):
            yield one, new


def _word(literal: str) -> str:
    """Return the text between the quotes of a literal, or "" if it has no quotes."""
    return literal[1:-1] if literal[:1] in "\"'" and literal[:1] == literal[-1:] else ""


def comprehension(spot: TemplateSite) -> Drafts:
    """Add or remove a condition of a comprehension, or change the type of the comprehension: list, set or generator
    expression."""
    kinds = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    yield from interleave(_comprehended(spot, node) for node in spot.values if isinstance(node, kinds))


def _comprehended(spot: TemplateSite, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Drafts:
    source = spot.source
    for part in node.generators:
        before = source.span(part.iter)[1]
        for one in part.ifs:
            start, end = source.span(one)
            head = source.data.rfind(b"if", before, start)
            if head >= 0 and not source.data[head + 2 : start].strip():
                yield Draft(f"remove `if {spot.text(one)}`", ((head, end, ""),))
            before = end
    for part in node.generators:
        names = [one.id for one in ast.walk(part.target) if isinstance(one, ast.Name)]
        tests = [text for name in names for text in (name, f"{name} is not None", f"not {name}")]
        tests += [f"{name}.{check}()" for name in names if _may_be_text(spot, part.iter) for check in CHECKS]
        others = [name for name in spot.donors.plain if name not in names]
        tests += [
            f"{name} {sign} {other}" for name in names for other in others for sign in ("!=", "not in", "==", "in")
        ]
        end = max(source.span(one)[1] for one in [part.iter, *part.ifs])
        if source.data[end : end + 1] != b")" or isinstance(node, ast.GeneratorExp):
            for test in [*tests, *spot.donors.conditions][:MOST_TESTS]:
                yield Draft(f"add `if {test}`", ((end, end, f" if {parenthesize(test, TEST)}"),))
    if isinstance(node, ast.ListComp | ast.SetComp):
        inner = spot.text(node)[1:-1]
        other = f"{{{inner}}}" if isinstance(node, ast.ListComp) else f"[{inner}]"
        yield source.replace(node, other)
        yield source.replace(node, f"({inner})")
    elif isinstance(node, ast.GeneratorExp):
        yield source.replace(node, f"[{spot.text(node)[1:-1]}]")


def _may_be_text(spot: TemplateSite, node: ast.expr) -> bool:
    kinds = spot.scope.kinds(node)
    return not kinds or bool(kinds & (TEXT | {"sequence"}))


def shown(spot: TemplateSite) -> Drafts:
    """Change the conversion in an f-string: `{x}` ↔ `{x!r}`."""
    data = spot.source.data
    for node in spot.nodes:
        if isinstance(node, ast.JoinedStr):
            for part in [one for one in node.values if isinstance(one, ast.FormattedValue)]:
                end = spot.source.span(part.value)[1]
                follows = data[end : end + 2]
                if follows[:1] in b"}:":
                    yield Draft(f"show the repr of `{spot.text(part.value)}`", ((end, end, "!r"),))
                elif follows in (b"!r", b"!s", b"!a"):
                    yield Draft(f"show `{spot.text(part.value)}` without conversion", ((end, end + 2, ""),))
