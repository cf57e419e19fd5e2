"""The classes that an annotation names, as far as that says which attributes there are."""

from __future__ import annotations

import builtins
import re
from functools import lru_cache

UNTOLD = frozenset(("Any", "object", "TypeVar", "ParamSpec", "NewType", "None"))
"""Names of types that say nothing of what has them."""
_PASSING = """
eval exec filter getattr globals iter locals map max min next object reversed sum super type vars zip
"""
BUILTIN = frozenset(dir(builtins)).difference(_PASSING.split())
"""What Python itself defines, without what gives back things that others define."""
_PLAIN = re.compile(r"[^\W\d]\w*(?:\(\))?(?:\.[^\W\d]\w*)*")
_GENERIC = re.compile(r"([\w.]+)\s*\[(.*)\]", re.DOTALL)
_THROUGH = frozenset(
    ("Optional", "Union", "ClassVar", "Final", "Annotated", "Required", "NotRequired", "ReadOnly", "Awaitable")
)
_DEEPEST = 4

Alternative = tuple[str, bool]


@lru_cache(maxsize=4096)
def alternatives(written: str) -> tuple[Alternative, ...]:
    """The dotted names that are meant, each with whether the class itself is (`type[X]`), not an instance of it."""
    return ((written, False),) if _PLAIN.fullmatch(written) else tuple(_alternatives(written, _DEEPEST))


def _alternatives(written: str, depth: int) -> list[Alternative]:
    text = written.strip().strip("\"'").strip()
    if _PLAIN.fullmatch(text):
        return [(text, False)]
    parts = _split(text, "|")
    if len(parts) > 1 and depth:
        return [one for part in parts for one in _alternatives(part, depth - 1)]
    generic = _GENERIC.fullmatch(text)
    if not generic or not depth:
        return []
    outer = generic[1].rpartition(".")[2]
    inner = _split(generic[2], ",")
    if outer in ("type", "Type"):
        return [(name, True) for name, _ in _alternatives(inner[0], depth - 1)]
    if outer in _THROUGH:
        wanted = inner if outer == "Union" else inner[:1]
        return [one for part in wanted for one in _alternatives(part, depth - 1)]
    return [(generic[1], False)]


def _split(text: str, separator: str) -> list[str]:
    """At separators that stand in no brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[(") - (char in "])")
        if char == separator and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts
