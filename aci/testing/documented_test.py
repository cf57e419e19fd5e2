"""The test command that a repository's instruction files document, if the detection would not find it.

A documented command that runs the same tests as the detected one changes nothing, because the detected one also knows
the Python of the environment and the projects of the repository.
"""

from __future__ import annotations

import re
from dataclasses import replace

from aci.instructions.documented_commands import UNUSABLE, DocumentedCommand, bare_command, find_recipe, root_commands
from aci.instructions.instruction_files import Instructions
from aci.testing.suite_command import COMMANDS, LARGEST, OWN_RUNNERS, first_command, is_python, project_command

_MANIFESTS = {
    "bun": re.compile(r"package\.json"),
    "ctest": re.compile(r"CMakeLists\.txt"),
    "dotnet": re.compile(r"[^/]+\.(?:slnx?|\w+proj)"),
    "mix": re.compile(r"mix\.exs"),
    "rake": re.compile(r"[Rr]akefile(?:\.rb)?"),
    "swift": re.compile(r"Package\.swift"),
}
"""The file of the root that a runner needs, for runners that the detection does not find."""
MOST_MANIFESTS = 100
"""Maximum number of build manifests that are searched for tests, those nearest to the root first."""
_RUNNERS = re.compile(
    r"\b(?:py\.?test|unittest|tox|nox|hatch test|phpunit|rspec|manage\.py test|jest|vitest|mocha"
    r"|(?:npm|pnpm|yarn)(?: run)? t(?:est)?\b(?!:)|(?:go|cargo|mvn|gradle) (?:\S{1,80} ){0,9}test|cargo nextest)"
)
"""Matches calls of test runners that the detection finds by the files of a repository."""
_NODE = re.compile(r"(?:npm|pnpm|yarn) (?:run )?(tests?:[\w:-]+|tests)")
_SCRIPT = re.compile(r"(?:python[\d.]* )?((?:\./)?[\w./-]+\.(?:py|sh))\b.*")


def documented_test(instructions: Instructions) -> DocumentedCommand | None:
    """Return the first test command that the files of the root document; None if there is none, or if the detection
    finds its tests anyway."""
    for command in root_commands(instructions):
        if command.kind == "test":
            text = bare_command(command.text)
            if _is_detected(text, instructions):
                return None
            if _is_usable(text, instructions):
                return replace(command, text=text)
    return None


def _look(instructions: Instructions, path: str) -> str:
    entry = instructions.files.get(path)
    if entry is None or not entry.mode.startswith("100") or entry.size > LARGEST:
        return ""
    return instructions.read_blob(entry.id).decode("utf-8", "replace")


def _is_detected(command: str, instructions: Instructions) -> bool:
    """Return whether the command runs tests with a runner that the detection finds."""
    if _NODE.fullmatch(command):
        return False
    if script := _SCRIPT.fullmatch(command):
        path = script[1].removeprefix("./")
        return path in OWN_RUNNERS or bool(_RUNNERS.search(_look(instructions, path)))
    recipe = find_recipe(command, lambda path: _look(instructions, path))
    return bool(_RUNNERS.search(command if recipe is None else recipe)) or command == _of_root(instructions)


def _of_root(instructions: Instructions) -> str:
    files = frozenset(instructions.files)
    return "" if is_python("", files) else project_command("", files, lambda path: _look(instructions, path))


def _is_usable(command: str, instructions: Instructions) -> bool:
    """Return whether the base has what the command calls: a target, a script, or a project of its kind."""

    def look(path: str) -> str:
        return _look(instructions, path)

    if node := _NODE.fullmatch(command):
        return f'"{node[1]}"' in look("package.json")
    if script := _SCRIPT.fullmatch(command):
        text = look(script[1].removeprefix("./"))
        return bool(text) and not UNUSABLE.search(text)
    if command.startswith("make "):
        recipe = find_recipe(command, look)
        return recipe is not None and not UNUSABLE.search(recipe)
    files = frozenset(instructions.files)
    needed = _MANIFESTS.get(command.split()[0])
    if needed is None or not any(map(needed.fullmatch, files)):
        return False
    known = (*COMMANDS, "package.json", "Makefile")
    found = sorted((path for path in files if path.endswith(known)), key=lambda path: (path.count("/"), path))
    return not is_python("", files) and not first_command(frozenset(found[:MOST_MANIFESTS]), look)
