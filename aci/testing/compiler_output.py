"""Errors of a compiler that a test command runs before its test runner, as result lines."""

from __future__ import annotations

import re
from typing import Any

from aci.observation.untrusted_text import clean_output

TYPESCRIPT = re.compile(
    r"^(?:\./)?([^\s():]+\.[cm]?tsx?)[(:](\d{1,9})[,:]\d+\)?(?::| -) (error TS\d+: .+(?:\n[ \t]+\S.*){0,3})$",
    re.MULTILINE,
)
MOST_FILES, LONGEST = 200, 4_000


def compiler_lines(output: bytes) -> list[dict[str, Any]]:
    """Return an error for each TypeScript file that does not compile, as lines of a run whose runner did not start;
    none if the output shows no such error."""
    messages: dict[str, list[tuple[int, str]]] = {}
    for path, line, message in TYPESCRIPT.findall(clean_output(output)):
        messages.setdefault(path, []).append((int(line), message))
    found: list[dict[str, Any]] = []
    for path, errors in list(messages.items())[:MOST_FILES]:
        text = "\n".join(message for _, message in errors)[:LONGEST]
        found.append({"id": path, "outcome": "error", "path": path, "line": errors[0][0], "message": text})
    return [{"start": "tsc"}, *found, {"finish": 1, "expected": 0}] if found else []
