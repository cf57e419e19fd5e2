"""How a repository's tests are run when nobody says: pytest if it is there, else unittest; and how to say it again."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from aci.workspace import Workspace
from trajectories.errors import UsageError

SHOWN_NODES = 20
PYTHONPATH = re.compile(r"(?<![\w$])PYTHONPATH=([\"']?)")
WORD = re.compile(r"[^\s\"'`=:,;&|()<>]+")
ENTERED = re.compile(r"(?:\bcd|-C|--(?:directory|prefix|cwd))[\s=]+[\"']?([^\s\"';&|]+)")
MODULE = re.compile(r"-m\s*([\w.]+)")
RUNNERS = re.compile(
    r"(?:.*/)?(?:GNUmakefile|[Mm]akefile|.*\.mk|\.?[Jj]ustfile|package\.json|.*run[-_]?(?:all[-_]?)?tests?[^/]*)"
)
NEEDS_TEST = "Give the command that runs the tests with --test."


def detect_command(workspace: Workspace, session: str = "tests") -> str:
    """The test command that fits the repository. Raises UsageError where there is none."""
    return detect(workspace, session)[0]


def detect(workspace: Workspace, session: str = "tests") -> tuple[str, str]:
    """The test command that fits the repository, and the version of its Python. Raises UsageError."""
    path = f"{workspace.harness}/detect.py"
    workspace.write(path, files("aci.inside").joinpath("detect.py").read_bytes())
    place = f"{shlex.quote(path)} {shlex.quote(workspace.root)}"
    ran = workspace.run(f"python3 {place} || python {place}", 60, session)
    found = _last_object(ran.text)
    if not found:
        raise UsageError("The workspace has no Python that could run the tests.", NEEDS_TEST)
    if not found["tests"]:
        raise UsageError("No tests were found in the repository.", NEEDS_TEST)
    if found["pytest"]:
        return f"{shlex.quote(str(found['pytest']))} -m pytest", str(found.get("version", ""))
    if not found["start"]:
        raise UsageError(
            "The repository's tests look like pytest's, but the workspace's Python has no pytest.",
            f"Choose an image that has it with --image. {NEEDS_TEST}",
        )
    options = [str(option) for option in found["start"]]
    command = shlex.join([str(found["python"]), "-m", "unittest", "discover", *options])
    return command, str(found.get("version", ""))


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and {"python", "pytest", "tests", "start"} <= set(value):
            return value
    return {}


def importing(folder: str, command: str) -> str:
    """The command with `folder` first wherever it sets PYTHONPATH itself, which would hide our files there."""
    return PYTHONPATH.sub(rf"PYTHONPATH=\1{folder}:", command)


def is_run_by(command: str, path: str) -> bool:
    """Whether a test command runs this file itself: it names it, or the file is a Makefile or the like.

    The latter where the command is neither pytest nor unittest: what else it runs, nobody can tell.
    """
    folders = ["", *ENTERED.findall(command)]
    modules = [name.replace(".", "/") for name in MODULE.findall(command)]
    named = [*WORD.findall(command), *(name + end for name in modules for end in (".py", "/__main__.py"))]
    if any(posixpath.normpath(posixpath.join(folder, name)) == path for folder in folders for name in named):
        return True
    direct = not command or re.search(r"\b(?:py\.?test|unittest)\b", command)
    return not direct and bool(RUNNERS.fullmatch(path))


def narrowed(command: str, nodes: Sequence[str]) -> str:
    """A line for people that repeats `command` for `nodes` only."""
    more = f"  # and {len(nodes) - SHOWN_NODES} more" if len(nodes) > SHOWN_NODES else ""
    quoted = [shlex.quote(node) for node in nodes[:SHOWN_NODES]]
    if "-m unittest" in command:
        return f"{command} {' '.join(f'-k {node}' for node in quoted)}{more}"
    return f"{command if 'pytest' in command else 'python3 -m pytest'} {' '.join(quoted)}{more}"
