"""Recipes of make and just, read to judge a documented command that calls one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

FILES = {
    "make": ("GNUmakefile", "Makefile", "makefile"),
    "just": ("justfile", "Justfile", ".justfile"),
}
UNUSABLE = re.compile(r"\b(?:docker|podman|compose|sudo|ssh|curl|wget|kubectl|vagrant|terraform)\b")
"""Matches programs that a container without network and privileges cannot run."""
LARGEST = 250_000
"""Maximum number of characters of a file; the targets of a larger one are unknown."""
_RULE = re.compile(r"@?([^\s#@:=][^:=]*):(?!=)")
_CALL = re.compile(r"(?:\$\(MAKE\)|\bmake|\bjust)[ \t]+([\w.-]+)")


def find_recipe(command: str, look: Callable[[str], str]) -> str | None:
    """Return the recipe that a call such as `make test` runs, with those of its prerequisites; None if the command does
    not call make or just, or if there is no such target. `look` returns the text of a file, "" if it is missing."""
    program, *words = command.split()
    targets = [word for word in words if not word.startswith("-") and "/" not in word]
    text = next((text for name in FILES.get(program, ()) if (text := look(name))), "")
    if not targets or len(text) > LARGEST:
        return None
    rules = _parse_rules(text)
    waiting, recipes, seen = deque(targets[-1:]), list[str](), set[int]()
    while waiting:
        for rule in rules.get(waiting.popleft(), ()):
            if id(rule) not in seen:
                seen.add(id(rule))
                prerequisites, recipe = rule[0], "\n".join(rule[1:])
                waiting += [*prerequisites.split(), *_CALL.findall(recipe)]
                recipes.append(recipe)
    return "\n".join(recipes) if recipes else None


def _parse_rules(text: str) -> dict[str, list[list[str]]]:
    """Return the rules of each target: the prerequisites, then the lines of the recipe."""
    rules: dict[str, list[list[str]]] = {}
    rule: list[str] = []
    for line in text.split("\n"):
        if line.startswith((" ", "\t")):
            rule.append(line)
        elif found := _RULE.match(line):
            rule = [line[found.end() :].lstrip(":")]
            for target in dict.fromkeys(found[1].split()):
                rules.setdefault(target, []).append(rule)
        elif line.strip() and not line.startswith("#"):
            rule = []
    return rules
