"""Tests in JavaScript and TypeScript: files that name their runner, Playwright's or Node's own, beside the runner of
the suite, and errors of a compiler that a test command runs before its test runner."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import Any

from aci.observation.untrusted_text import clean_output
from aci.testing.browser_tests import CONFIGS, MOST_FILES
from aci.testing.command_files import Look, called_text, prefix_folder
from aci.testing.node_paths import folders_above

SCRIPT = re.compile(r".*\.[cm]?[jt]sx?")
_IMPORTED = r"(?:from\s*|require\(\s*|import\s*\(?\s*)[\"'](?:{})[\"']"
OF_PLAYWRIGHT = re.compile(_IMPORTED.format(r"@playwright/test|playwright/test"))
OF_NODE = re.compile(_IMPORTED.format(r"node:test"))
CALLS_PLAYWRIGHT = re.compile(r"\bplaywright(?:/cli(?:\.js)?)?\s+test\b")
CALLS_NODE = re.compile(r"\bnode\s+(?:\S+\s+)*--test\b")
TYPESCRIPT = re.compile(
    r"^(?:\./)?([^\s():]+\.[cm]?tsx?)[(:](\d{1,9})[,:]\d+\)?(?::| -) (error TS\d+: .+(?:\n[ \t]+\S.*){0,3})$",
    re.MULTILINE,
)
MOST_UNCOMPILED, LONGEST = 200, 4_000
"""Maximum number of files with errors, and of characters of the errors of one."""


def own_command(nodes: Sequence[str], command: str, look: Look) -> str:
    """Return the command of the runner that the files of all these nodes import, if `command` does not call it; else
    "".

    Another runner that is given such a file reports an error in it, which says nothing about the code.
    """
    paths = list(dict.fromkeys(node.partition("::")[0] for node in nodes))[:MOST_FILES]
    if not paths or not all(map(SCRIPT.fullmatch, paths)):
        return ""
    texts = [look(path) for path in paths]
    for pattern, calls in ((OF_PLAYWRIGHT, CALLS_PLAYWRIGHT), (OF_NODE, CALLS_NODE)):
        if all(map(pattern.search, texts)):
            is_called = command and calls.search(called_text(command, look))
            return "" if is_called else _playwright(paths[0], look) if pattern is OF_PLAYWRIGHT else "node --test"
    return ""


def _playwright(path: str, look: Look) -> str:
    """Return the call of Playwright's runner in the project of a test file, "" if no project above it has it."""
    for folder in folders_above(path):
        has_config = any(look(posixpath.join(folder, name)) for name in CONFIGS)
        if has_config or "playwright" in look(posixpath.join(folder, "package.json")):
            return prefix_folder(folder, "npx playwright test")
    return ""


def compiler_lines(output: bytes) -> list[dict[str, Any]]:
    """Return an error for each TypeScript file that does not compile, as lines of a run whose runner did not start;
    none if the output shows no such error."""
    messages: dict[str, list[tuple[int, str]]] = {}
    for path, line, message in TYPESCRIPT.findall(clean_output(output)):
        messages.setdefault(path, []).append((int(line), message))
    found: list[dict[str, Any]] = []
    for path, errors in list(messages.items())[:MOST_UNCOMPILED]:
        text = "\n".join(message for _, message in errors)[:LONGEST]
        found.append({"id": path, "outcome": "error", "path": path, "line": errors[0][0], "message": text})
    return [{"start": "tsc"}, *found, {"finish": 1, "expected": 0}] if found else []
