"""Recipes of make and just, read to judge a documented command that calls one."""

from __future__ import annotations

import re
from collections.abc import Callable

FILES = {
    "make": ("GNUmakefile", "Makefile", "makefile"),
    "just": ("justfile", "Justfile", ".justfile"),
}
UNUSABLE = re.compile(r"\b(?:docker|podman|compose|sudo|ssh|curl|wget|kubectl|vagrant|terraform)\b")
"""Matches programs that a container without network and privileges cannot run."""
_DEEPEST = 3


def find_recipe(command: str, look: Callable[[str], str]) -> str | None:
    """Return the recipe that a call such as `make test` runs, with those of its prerequisites; None if the command does
    not call make or just, or if there is no such target. `look` returns the text of a file, "" if it is missing."""
    program, *words = command.split()
    targets = [word for word in words if not word.startswith("-") and "/" not in word]
    text = next((text for name in FILES.get(program, ()) if (text := look(name))), "")
    return _recipe(text, targets[-1], _DEEPEST) if text and targets else None


def _recipe(text: str, target: str, deepest: int) -> str | None:
    found = re.search(
        rf"^@?{re.escape(target)}\b[^:=\n]*:(?!=)([^\n]*)\n?((?:[ \t]+[^\n]*(?:\n|\Z)|\n(?=[ \t]))*)",
        text,
        re.MULTILINE,
    )
    if found is None:
        return None
    named = [*found[1].split(), *re.findall(r"(?:\$\(MAKE\)|\bmake|\bjust)[ \t]+([\w.-]+)", found[2])]
    below = (_recipe(text, name, deepest - 1) or "" for name in named[:20] if deepest and name != target)
    return "\n".join([found[2], *below])
