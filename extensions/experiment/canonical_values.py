"""Display and comparison of canonical forms of values (`extensions/optimize/guest/canonical_forms.py`) on the host."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

SHOWN, DEPTH = 120, 6
ATOMS = ("int", "bytes", "constant", "enum", "class", "function", "module", "digest", "same", "deep", "opaque")
"""Kinds of canonical forms that are compared and shown as a whole."""
BRACKETS = {"list": "[]", "tuple": "()", "set": "{}"}


def format_value(form: Any, most: int = SHOWN) -> str:
    """Return a value roughly as `repr` shows it: on one line, printable, with at most `most` characters."""
    text = _shown(form, 0, most)
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def format_call(name: str, asked: Any) -> str:
    """Return a call as `f([1], key=2)`, from a function's name and the form of [args, [[key, value], ..]]."""
    try:
        args, pairs = asked[1][0][1], asked[1][1][1]
        words = [format_value(arg) for arg in args] + [f"{pair[1][0]}={format_value(pair[1][1])}" for pair in pairs]
    except (TypeError, IndexError, KeyError):
        words = ["…"]
    return shorten_call(f"{name}({', '.join(words)})", 2 * SHOWN)


def shorten_call(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2]}…)"


def _shown(form: Any, depth: int, most: int) -> str:
    if isinstance(form, str):
        return ascii(form[: most + 1]) if not form.isprintable() else repr(form[: most + 1])
    if not isinstance(form, list) or not form:
        return repr(form)
    if depth > DEPTH:
        return "…"
    try:
        return _compound(form, depth + 1, most)
    except (TypeError, ValueError, IndexError):  # untrusted code may have written the form
        return "?"


def _compound(form: list[Any], depth: int, most: int) -> str:
    tag = form[0]
    if tag in BRACKETS:
        items = _items(form[1], depth, most)
        if tag == "tuple" and len(form[1]) == 1:
            items += ","
        return BRACKETS[tag][0] + items + BRACKETS[tag][1] if items or tag != "set" else "set()"
    if tag == "dict":
        inner = (f"{_shown(key, depth, most)}: {_shown(one, depth, most)}" for key, one in form[1])
        return "{" + _joined(inner, most) + "}"
    if tag == "int":
        return str(int(form[1], 16)) if len(form[1]) < 100 else f"{form[1][:40]}…"
    if tag in ("float", "constant", "class", "function", "module"):
        return str(form[1])
    if tag == "bytes":
        return repr(bytes.fromhex(form[1][: 2 * most]))
    if tag == "lazy":
        items = f" of {_items(form[2], depth, most)}, {form[3]}" if len(form) > 2 else ""
        if len(form) > 6:  # a digest follows the items
            items = f" of {form[5]} items:{items[3:]}"
        return f"<{_short(form[1])}{items}>"
    if tag == "error":
        return f"{_short(form[1])}({_shown(form[2], depth, most)})"
    if tag == "same":
        return f"<the same as no. {form[1]}>"
    if tag == "object":
        content = [] if form[2] is None else [_shown(form[2], depth, most)]
        return f"{_short(form[1])}({_joined([*content, *(f'{n}={_shown(v, depth, most)}' for n, v in form[3])], most)})"
    return f"<{tag} {_items(form[1:], depth, most)}>"


def _short(name: Any) -> str:
    return str(name).removeprefix("builtins.")


def _items(values: list[Any], depth: int, most: int) -> str:
    return _joined((_shown(value, depth, most) for value in values), most)


def _joined(words: Any, most: int) -> str:
    text = ""
    for word in words:
        text += f", {word}" if text else word
        if len(text) > most:
            return text[:most] + "…"
    return text


def first_difference(before: Any, after: Any, tolerance: float) -> tuple[str, Any, Any] | None:
    """Return the place where two forms first differ, written as Python code, with the two differing parts; None if the
    forms are equal."""
    try:
        return _first_difference(before, after, tolerance)
    except (TypeError, ValueError, IndexError):  # an invalid form, written by the code under test
        return None if before == after else ("", before, after)


def _first_difference(before: Any, after: Any, tolerance: float) -> tuple[str, Any, Any] | None:
    # Exceptions that end a call or an iterator are compared loosely, exceptions that are values exactly.
    stack: list[tuple[str, Any, Any, bool]] = [("", before, after, True)]
    while stack:
        place, b, a, is_ending = stack.pop()
        if _plain(b) or _plain(a):
            if type(b) is not type(a) or b != a:
                return place, b, a
        elif b[:1] == a[:1] and b[:1] in (["float"], ["complex"]) and len(b) == len(a):
            if not all(_close(x, y, tolerance) for x, y in zip(b[1:], a[1:], strict=True)):
                return place, b, a
        elif _is_error(b) and _is_error(a):
            if not (_same_ending(b, a) if is_ending else b[:-1] == a[:-1]):
                return place, b, a
        elif b[:1] == a[:1] and b and isinstance(b[0], str) and b[0] in ATOMS:
            if b != a:
                return place, b, a
        elif _kind(b) != _kind(a):
            return place, b, a
        else:
            is_iterator = b[:1] == ["lazy"]
            stack += reversed([(place + step, x, y, is_iterator) for step, x, y in _parts(b, a)])
    return None


def is_explicit(form: Any) -> bool:
    """Return whether a form is that of an exception that the repository's code raised with a `raise` statement."""
    return _is_error(form) and form[-1] is True


def _is_error(form: Any) -> bool:
    return isinstance(form, list) and len(form) == 6 and form[0] == "error" and isinstance(form[-1], bool)


def _same_ending(before: list[Any], after: list[Any]) -> bool:
    """Compare two exceptions: the types and, if the code before raised its one explicitly, also messages and causes.

    The message of another exception comes from the interpreter or a library, and depends on how the code is written.
    """
    if before[1] != after[1] or not is_explicit(before):
        return bool(before[1] == after[1])
    causes = before[4], after[4]
    same_cause = causes[0] == causes[1] or (all(causes) and causes[0][1] == causes[1][1] and not causes[0][2])
    return bool(before[2:4] == after[2:4] and same_cause)


def _plain(form: Any) -> bool:
    return not isinstance(form, list)


def _kind(form: list[Any]) -> tuple[Any, ...]:
    """Return the properties that two forms must share to be compared part by part: the kind and the number of parts."""
    tag = form[0] if form and isinstance(form[0], str) else None
    if tag in ("object", "lazy", "view"):
        return tag, form[1], len(form), *(len(x) for x in form[2:] if isinstance(x, list))
    if tag in ("list", "tuple", "set", "frozenset", "dict", "deque") and len(form) > 1 and isinstance(form[1], list):
        return tag, len(form), len(form[1])
    return tag, len(form)


def _parts(b: list[Any], a: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    tag = b[0] if b and isinstance(b[0], str) else ""
    if tag in ("list", "tuple", "deque", "view", "lazy") and isinstance(b[-1 if tag == "view" else 1], list | str):
        at = 2 if tag in ("view", "lazy") else 1
        for index, (x, y) in enumerate(zip(b[at], a[at], strict=False)):
            yield f"[{index}]", x, y
        for x, y in zip(b[at + 1 :], a[at + 1 :], strict=False):
            yield "", x, y
    elif tag == "dict":
        for (key, x), (other, y) in zip(b[1], a[1], strict=False):
            yield "", key, other
            yield f"[{format_value(key, 30)}]", x, y
        yield "", b[2:], a[2:]
    elif tag == "object":
        yield "", b[2], a[2]
        for (name, x), (other, y) in zip(b[3], a[3], strict=False):
            yield "", name, other
            yield f".{name}", x, y
    else:
        for x, y in zip(b, a, strict=False):
            yield "", x, y


def _close(before: str, after: str, tolerance: float) -> bool:
    if before == after:
        return True
    try:
        x, y = float(before), float(after)
    except ValueError:
        return False
    return tolerance > 0 and math.isclose(x, y, rel_tol=tolerance)
