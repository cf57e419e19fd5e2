"""Templates that change a literal: numbers, strings, booleans, None, empty containers."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from extensions.experiment.source.source_file import Draft, brief, dotted_name
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.candidates.template_site import ODD, Drafts, TemplateSite

MOST_HINTS = 40
EMPTY = ("[]", "{}", "set()", "()", "''", "0", "1", "None")
FIELD = re.compile(r"\{[A-Za-z_][\w.\[\]']*(?:![rsa])?(?::[^{}]*)?\}")
SPECIAL = re.compile(r"\\[dwsbDWSB.]|[*+?\]|)$]")
QUANTIFIER = re.compile(r"(?<!\\)(?<![*+?(])[*+?]\??")
INFINITE = ("float('inf')", "float('-inf')")


def number(spot: TemplateSite) -> Drafts:
    """Replace a number by a neighbouring one, 0, 1, its negative, another number from the function or the tests, or a
    name in scope."""
    values = [(node, node.value) for node in _constants(spot) if not isinstance(node.value, bool)]
    yield from interleave(_numbers(spot, node, value) for node, value in values if isinstance(value, int | float))


def _numbers(spot: TemplateSite, node: ast.Constant, value: float) -> Drafts:
    if isinstance(value, int):
        near = [str(one) for one in (value + 1, value - 1, 0, 1, -value, 2, -1, 10 * value, value // 10)]
    else:
        near = [repr(one) for one in (1.0, 0.0, 0.5, -value, value + 1, value - 1, value * 10, value / 10)]
    same = [text for text in [*spot.donors.constants, *spot.donors.library.hints] if _literal_is(text, int | float)]
    names = [text for text in spot.atoms(node) if spot.scope.fits(text, frozenset(["number"]))]
    last = [*INFINITE, "None", "[]", "''"] if value in (0, 1, -1) else []
    yield from _changed(spot, node, [*near, *same[:MOST_HINTS], *names, *last])


def truth(spot: TemplateSite) -> Drafts:
    """Replace `True` by `False` or the reverse, or either by a condition, a name or None."""
    for node in _constants(spot):
        if isinstance(node.value, bool):
            names = [text for text in spot.atoms(node) if spot.scope.fits(text, frozenset(["bool"]))]
            yield from _changed(spot, node, [str(not node.value), *spot.donors.conditions[:30], *names, "None"])


def text(spot: TemplateSite) -> Drafts:
    """Replace a string by a similar one from the tests or the issue, another string of the function, a variant, an
    empty string, or a name in scope.

    A variant is trimmed, differs in case, or lacks the first or last character.
    """
    values = [(node, node.value) for node in _constants(spot)]
    yield from interleave(_texts(spot, node, value) for node, value in values if isinstance(value, str | bytes))


def _texts(spot: TemplateSite, node: ast.Constant, value: str | bytes) -> Drafts:
    blank = value[:0]
    mark = "b" if isinstance(value, bytes) else ""
    hints = [one for one in spot.donors.library.hints if _literal_is(one, type(value))]
    near = sorted(hints, key=lambda one: -_likeness(one, repr(value)))[:MOST_HINTS]
    close = [one for one in near if _likeness(one, repr(value)) >= 0.5]
    same = [one for one in spot.donors.constants if _literal_is(one, type(value))]
    names = [one for one in spot.atoms(node) if spot.scope.fits(one, spot.scope.kinds(node))]
    if spot.source.parents.get(node) is spot.statement and isinstance(spot.statement, ast.Expr):
        return
    if isinstance(value, str) and FIELD.search(value) and spot.source.data[spot.source.span(node)[0]] in b"\"'":
        start = spot.source.span(node)[0]
        yield Draft(f"make `{brief(spot.text(node))}` an f-string", ((start, start, "f"),))
    yield from _changed(spot, node, [*close, *(repr(one) for one in _variants(value)), *same, repr(blank)])
    yield from _changed(spot, node, [*near, f"{mark}' '", f"{mark}'\\n'", *names, "None"])


def _variants(value: str | bytes) -> Iterator[str | bytes]:
    """Yield small variations of a string: trimmed, in another case, or with another format conversion."""
    yield from (value.strip(), value[:-1], value[1:], value.lower(), value.upper())
    if isinstance(value, str):
        yield from (value + " ", " " + value, value + "\n")
        for old, new in (
            ("%s", "%r"),
            ("%r", "%s"),
            ("%d", "%s"),
            ("{}", "{!r}"),
            ("{!r}", "{}"),
            ("_", "-"),
            ("-", "_"),
        ):
            if old in value:
                yield value.replace(old, new)
        if value[:1].isalpha():
            yield value.capitalize()


def pattern(spot: TemplateSite) -> Drafts:
    """Change the quantifier or anchors of a regular expression, or escape its dots: `\\d+` → `\\d*`, `a` → `^a$`."""
    for node in _constants(spot):
        value = node.value
        if isinstance(value, str) and _is_pattern(spot, node, value):
            raw = "r" if "'" not in value and "\n" not in value and not value.endswith("\\") else ""
            for new in unique(_patterns(value)):
                if new != value and _compiles(new):
                    yield spot.source.replace(node, f"r'{new}'" if raw else repr(new))


def _is_pattern(spot: TemplateSite, node: ast.expr, value: str) -> bool:
    parent = spot.source.parents.get(node)
    if isinstance(parent, ast.Call) and dotted_name(parent.func).partition(".")[0] in ("re", "regex"):
        return True
    return "\\" in value and SPECIAL.search(value) is not None and _compiles(value)


def _patterns(value: str) -> Iterator[str]:
    for found in QUANTIFIER.finditer(value):
        start, end = found.span()
        for other in ("*", "+", "?", "*?", "+?", ""):
            if other != found[0]:
                yield value[:start] + other + value[end:]
    for old, new in (("^", ""), ("$", ""), (".", "\\."), ("\\.", "."), ("\\w", "\\S"), ("\\d", "\\w"), ("\\s", " ")):
        for found in re.finditer(re.escape(old), value):
            yield value[: found.start()] + new + value[found.end() :]
    yield from (f"^{value}", f"{value}$", rf"\b{value}", rf"{value}\b", f"-?{value}", rf"\s*{value}", f"(?:{value})?")
    for found in re.finditer(r"\\[dwsDWS]|\]|\)|\w", value):
        for quantifier in ("?", "*", "+"):
            if value[found.end() : found.end() + 1] not in ("*", "+", "?", "{"):
                yield value[: found.end()] + quantifier + value[found.end() :]


def _compiles(value: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(value)
    except (re.error, OverflowError, RecursionError, Warning):
        return False
    return True


def none(spot: TemplateSite) -> Drafts:
    """Replace `None` by an empty container, a number, a boolean, or a name in scope."""
    for node in _constants(spot):
        if node.value is None:
            yield from _changed(spot, node, [*EMPTY[:-1], "False", "True", *spot.atoms(node)])


def empty(spot: TemplateSite) -> Drafts:
    """Replace an empty container: `[]` ↔ `{}`, `set()`, `0`, `None`; `[]` → `[name]`."""
    for node in spot.values:
        bare = isinstance(node, ast.List | ast.Tuple) and not node.elts
        if bare or (isinstance(node, ast.Dict) and not node.keys) or _makes_nothing(node):
            names = [f"[{name}]" for name in spot.names(node)] if isinstance(node, ast.List) else []
            yield from _changed(spot, node, [*names, *EMPTY, *spot.donors.sized])


def _makes_nothing(node: ast.expr) -> bool:
    names = ("list", "dict", "set", "tuple", "str", "int")
    called = node.func if isinstance(node, ast.Call) and not node.args and not node.keywords else None
    return isinstance(called, ast.Name) and called.id in names


def _changed(spot: TemplateSite, node: ast.expr, texts: Iterable[str]) -> Drafts:
    old, kinds = spot.text(node), spot.scope.kinds(node)
    for one in unique(texts):
        if one != old:
            draft = spot.source.replace(node, one)
            yield draft if spot.scope.fits(one, kinds) else draft.at(ODD)


def _constants(spot: TemplateSite) -> list[ast.Constant]:
    return [node for node in spot.values if isinstance(node, ast.Constant)]


def _literal_is(literal: str, kind: object) -> bool:
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        return False
    return isinstance(value, kind) and not isinstance(value, bool)  # type: ignore[arg-type]


def _likeness(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= 0.5 else 0.0
