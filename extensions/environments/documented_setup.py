"""Set-up commands that a repository's instruction files document, added to what the manifests imply.

If the manifests imply a set-up, only steps are added that no package manager takes by itself: further requirement files
and extensions built in place. Each added command may fail, since nothing is known about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from aci.environments.environment_plan import VENV, Command, Files, Plan
from aci.instructions.documented_commands import (
    FILES,
    UNUSABLE,
    DocumentedCommand,
    bare_command,
    find_recipe,
    root_commands,
)
from aci.instructions.instruction_files import Instructions
from trajectories.git_store.object_reader import Entry

MOST = 4
_REQUIREMENTS = re.compile(r"pip3? install(?: -[qU])* -r ([\w./-]+)")
_BUILD = re.compile(r"(?:python[\d.]* )?setup\.py build_ext --inplace")
_MANAGER = re.compile(r"(?:npm|pnpm|yarn|bun|uv|poetry|pdm|pipenv|conda|go|cargo|bundle|composer)\b")


class _Entries(Mapping[str, Entry]):
    """The entries of files that are given with their content; each file is its own id."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def __getitem__(self, path: str) -> Entry:
        return Entry("100644", path, len(self._files[path]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def add_documented_setup(plan: Plan, files: Files) -> Plan:
    """Return the plan with the set-up commands that the instruction files of the root document and the plan lacks."""
    instructions = Instructions(_Entries(files), lambda id: files[id])
    chosen = [one for one in root_commands(instructions) if one.kind == "setup" and _is_missing(one, plan, files)][
        :MOST
    ]
    if not chosen:
        return plan
    commands = [Command(bare_command(one.text), f"{one.where} names this set-up", optional=True) for one in chosen]
    venv = () if plan.setup else (Command(f"python3 -m venv {VENV}", "packages go into an environment of their own"),)
    paths = plan.paths
    if plan.language == "python":
        commands, paths = [*venv, *commands], paths or (f"{VENV}/bin",)
    named = {path for one in chosen for path in (one.path, *one.text.split()) if path in files}
    makefiles = [name for name in FILES["make"] if name in files and any(one.text.startswith("make") for one in chosen)]
    return replace(
        plan,
        setup=(*plan.setup, *commands),
        paths=paths,
        inputs=tuple(dict.fromkeys((*plan.inputs, *sorted(named), *makefiles))),
        serves_later_commits=False,
    )


def _is_missing(one: DocumentedCommand, plan: Plan, files: Files) -> bool:
    """Return whether the plan lacks the command, and the base has what it names."""
    command = bare_command(one.text)
    if listed := _REQUIREMENTS.fullmatch(command):
        return plan.language == "python" and listed[1] in files and listed[1] not in plan.inputs
    if _BUILD.fullmatch(command):
        return plan.language == "python" and "setup.py" in files
    if plan.setup or _MANAGER.match(command):
        return False
    recipe = find_recipe(command, lambda path: files.get(path, b"").decode("utf-8", "replace"))
    return command.startswith("make ") and recipe is not None and not UNUSABLE.search(recipe)
