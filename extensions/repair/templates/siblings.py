"""Templates that repeat a statement with other names, such as those of another attribute or of the opposite side."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterator
from difflib import SequenceMatcher

from extensions.experiment.source.code_blocks import (
    BUILTINS,
    Compound,
    block,
    in_function,
    indented,
    is_elif,
    is_last,
    owner,
    unindented_lines,
)
from extensions.experiment.source.source_file import Draft, brief
from extensions.repair.analysis.name_usage import unique
from extensions.repair.candidates.candidate_expressions import (
    all_opposite,
    change_words,
    members,
    names,
    opposite_texts,
    replace_word,
    unbound_names_at,
    words,
)
from extensions.repair.candidates.template_site import Drafts, TemplateSite

MOST_WORDS = 16
NO_WORDS = BUILTINS | {*keyword.kwlist, "self", "cls"}


def sibling(spot: TemplateSite) -> Drafts:
    """Insert a copy of a statement of the function with a name replaced throughout.

    For example, `self.left = check(left)` is repeated as `self.right = check(right)`.
    """
    if not in_function(spot.source, spot.statement):
        return
    hanging = unique([*unbound_names_at(spot).idle, *unbound_names_at(spot).missing, *unbound_names_at(spot).unset])
    others = unique([*hanging, *names(spot), *members(spot)])[:MOST_WORDS]
    later: list[str] = []
    for text in unique([*_neighbours(spot), *spot.donors.simple]):
        there = [word.strip("_") for word in words(text) if word not in NO_WORDS]
        for old in sorted(unique(there), key=lambda word: -there.count(word)):
            for new in others:
                if new.strip("_") != old:
                    line = replace_word(text, old, new)
                    if new in hanging or (there.count(old) > 1 and new.strip("_") not in there):
                        yield from _put(spot, line)
                    elif there.count(old) > 1:
                        later.append(line)
    for line in later:
        yield from _put(spot, line)


def mirror(spot: TemplateSite) -> Drafts:
    """Replace a word such as `left` by its opposite, or all such names, in this statement or in a copy of a nearby one
    that is inserted before or after it."""
    if not in_function(spot.source, spot.statement):
        return
    own = spot.text(spot.statement)
    for text in unique([*_neighbours(spot), *spot.donors.simple]):
        if line := all_opposite(text, spot.donors.visible):
            yield from _put(spot, line)
    for text in unique([*_neighbours(spot), *spot.donors.simple]):
        for line in opposite_texts(text):
            yield from _put(spot, line)
    if "\n" not in own:
        for line in opposite_texts(own):
            yield Draft(f"use `{brief(line)}` instead", ((*spot.source.span(spot.statement), line),))


def chain(spot: TemplateSite) -> Drafts:
    """Add the `else` or `elif` of a similar `if` in the function or its class, with its words replaced by those of this
    `if`."""
    statement, source = spot.statement, spot.source
    if not isinstance(statement, ast.If) or statement.orelse:
        return
    holder = spot.donors.holder
    roots = [holder, *(one for one in getattr(owner(source, holder), "body", []) if one is not holder)]
    for other in [node for root in roots for node in ast.walk(root) if isinstance(node, ast.If) and node.orelse]:
        for lines in _rest(spot, other):
            for text in _reworded(source.text(other), source.text(statement), "\n".join(lines)):
                yield source.insert(statement, text.split("\n"), after=True)


def _rest(spot: TemplateSite, other: ast.If) -> Iterator[list[str]]:
    """Yield the clause that follows the body of an `if`: its `else` clause, or only the next `elif` clause."""
    source, after = spot.source, other.orelse[0]
    if is_elif(source, after) and isinstance(after, ast.If):
        body = unindented_lines(source, after.body[0], after.body[-1], remark=False)
        if body is not None:
            yield [f"elif {source.text(after.test)}:", *indented(spot.indent, body)]
    else:
        body = unindented_lines(source, after, other.orelse[-1], remark=False)
        if body is not None:
            yield ["else:", *indented(spot.indent, body)]


def _reworded(model: str, text: str, rest: str) -> Iterator[str]:
    """Yield `rest` with the word replacements that turn `model` into `text`, then `rest` unchanged."""
    old, new = words(model), words(text)
    pairs: dict[str, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "replace" and b - a == d - c:
            pairs |= {one: pairs.get(one, other) for one, other in zip(old[a:b], new[c:d], strict=True)}
    if pairs:
        yield change_words(rest, lambda word: pairs.get(word, word))
        parts: dict[str, str] = {}
        for one, other in pairs.items():
            if len(one.split("_")) == len(other.split("_")):
                parts |= {a: b for a, b in zip(one.split("_"), other.split("_"), strict=True) if a != b}
        yield change_words(rest, lambda word: "_".join(parts.get(part, part) for part in word.split("_")))
    yield rest


def _neighbours(spot: TemplateSite) -> Iterator[str]:
    """Yield the text of the statement and of its neighbours, except compound statements. Each text may span several
    lines."""
    found, place = block(spot.source, spot.statement)
    for one in [spot.statement, *found[max(0, place - 1) : place], *found[place + 1 : place + 2]]:
        kept = ast.Return | ast.Raise | ast.Pass | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal
        if isinstance(one, kept | Compound) or isinstance(getattr(one, "body", None), list):
            continue
        lines = unindented_lines(spot.source, one, one, remark=False)
        if lines is not None:
            yield "\n".join(lines)


def _put(spot: TemplateSite, text: str) -> Drafts:
    own = spot.text(spot.statement)
    if text != own:
        lines = text.split("\n")
        yield spot.source.insert(spot.statement, lines)
        if is_last(spot.source, spot.statement) and not isinstance(spot.statement, ast.Return | ast.Raise):
            yield spot.source.insert(spot.statement, lines, after=True)
