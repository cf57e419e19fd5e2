"""Changes of the public Python names since a commit that break programs, found by griffe without importing anything.

    .venv/bin/python scripts/api_changes.py REF

`griffe check` compares one package; the public names are defined in several, so this compares their modules.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "swe_agent"
EXTENSION_POINTS = [
    *("swe_agent.gym", "extensions.lab.gym.environment_creation"),
    *("tools.base", "agent.engine.task", "agent.models.base", "aci.testing.runner_hooks"),
]
"""Modules whose public names are all promised; docs/compatibility.md lists them."""

Change = tuple[str, str]
"""Path of a name, and a sentence about its change."""
Reader = Callable[[str], "str | None"]
"""Returns the text of a file of the repository, or None if it does not exist."""


def read_commit(ref: str) -> Reader:
    def read(path: str) -> str | None:
        shown = subprocess.run(["git", "show", f"{ref}:{path}"], cwd=ROOT, capture_output=True, text=True)
        return None if shown.returncode else shown.stdout

    return read


def read_tree(path: str) -> str | None:
    file = ROOT / path
    return file.read_text("utf-8") if file.is_file() else None


def load_module(name: str, read: Reader) -> griffe.Module | None:
    """Return the definitions of a module of the repository, without those of other modules."""
    folder = name.replace(".", "/")
    for path in (f"{folder}.py", f"{folder}/__init__.py"):
        if (text := read(path)) is not None:
            return griffe.visit(name, filepath=Path(path), code=text)
    return None


def library_names(read: Reader) -> dict[str, str]:
    """Map the names that `swe_agent` exports to the modules that define them."""
    tree = ast.parse(read("swe_agent/__init__.py") or "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES":
            return dict(ast.literal_eval(node.value))
    return {}


def breakages(old: griffe.Module, new: griffe.Module, name: str = "") -> Iterator[Change]:
    """Yield what differs in two versions of a module, or of one name in it."""
    prefix = f"{old.path}.{name}" if name else old.path
    for breakage in griffe.find_breaking_changes(old, new):
        if f"{breakage.obj.path}.".startswith(f"{prefix}."):
            text = breakage.explain(griffe.ExplanationStyle.ONE_LINE)
            yield breakage.obj.path, re.sub(r"\x1b\[\d*m", "", text)


def find_changes(before: Reader, now: Reader) -> dict[str, str]:
    """Map the path of each changed name to a sentence about it."""
    current = library_names(now)
    found: list[Change] = []
    for name, module in library_names(before).items():
        if name not in current:
            found.append((f"{LIBRARY}.{name}", f"{LIBRARY}.{name}: Public object was removed"))
        elif (old := load_module(module, before)) and (new := load_module(current[name], now)):
            found += [] if module == LIBRARY else breakages(old, new, name)
    for module in EXTENSION_POINTS:
        if old := load_module(module, before):
            new = load_module(module, now)
            found += breakages(old, new) if new else [(module, f"{module}: Public module was removed")]
    return dict(found)


def unannounced_changes(before: Reader, now: Reader) -> dict[str, str]:
    """Return the changes of names that CHANGELOG.md does not name more often than before."""
    old, new = (read("CHANGELOG.md") or "" for read in (before, now))
    found = find_changes(before, now)
    return {path: text for path, text in found.items() if new.count(f"`{path}`") <= old.count(f"`{path}`")}


def main() -> int:
    ref = sys.argv[1]
    if subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}"], cwd=ROOT, capture_output=True
    ).returncode:
        print(f"check_api: {ref} is not a commit of this clone. Fetch it, or name another one.", file=sys.stderr)
        return 2
    found = unannounced_changes(read_commit(ref), read_tree)
    for text in found.values():
        print(text)
    print(f"check_api: {len(found)} changes since {ref} break programs that use public names.")
    if found:
        path = next(iter(found))
        print(f"Keep the former name for one release, or name `{path}` in CHANGELOG.md (docs/compatibility.md).")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
