"""Test files of JavaScript that name their runner: Playwright's or Node's own, beside the runner of the suite."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from aci.testing.command_files import CALLED_SCRIPT, NPM, entered_folders, prefix_folder, scripts_behind
from aci.testing.node_paths import folders_above

Look = Callable[[str], str]

MOST_FILES = 20
SCRIPT = re.compile(r".*\.[cm]?[jt]sx?")
_IMPORTED = r"(?:from\s*|require\(\s*|import\s*\(?\s*)[\"'](?:{})[\"']"
OF_PLAYWRIGHT = re.compile(_IMPORTED.format(r"@playwright/test|playwright/test"))
OF_NODE = re.compile(_IMPORTED.format(r"node:test"))
CALLS_PLAYWRIGHT = re.compile(r"\bplaywright(?:/cli(?:\.js)?)?\s+test\b")
CALLS_NODE = re.compile(r"\bnode\s+(?:\S+\s+)*--test\b")
CONFIGS = tuple(f"playwright.config.{end}" for end in ("ts", "js", "mjs", "cjs", "mts"))


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


def called_text(command: str, look: Look) -> str:
    """Return a command with the scripts of package.json that it calls."""
    if not NPM.search(command):
        return command
    names = CALLED_SCRIPT.findall(command)
    manifests = (look(posixpath.join(folder, "package.json")) for folder in entered_folders(command))
    return "\n".join([command, *(scripts_behind(manifest, names) for manifest in manifests)])


def _playwright(path: str, look: Look) -> str:
    """Return the call of Playwright's runner in the project of a test file, "" if no project above it has it."""
    for folder in folders_above(path):
        has_config = any(look(posixpath.join(folder, name)) for name in CONFIGS)
        if has_config or "playwright" in look(posixpath.join(folder, "package.json")):
            return prefix_folder(folder, "npx playwright test")
    return ""
