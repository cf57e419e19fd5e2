"""How a repository's tests are run when nobody says, and how to say it again."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from importlib.resources import files as resources
from itertools import pairwise
from typing import Any

from aci.projects import MANIFESTS, django_command, first_command, is_python, project_command, project_of, within
from aci.workspace import Workspace
from trajectories.errors import UsageError

SHOWN_NODES, MANY_OF_FILE = 20, 4
LARGEST, MOST_MANIFESTS = 1_000_000, 2_000
PYTHONPATH = re.compile(r"(?<![\w$])PYTHONPATH=([\"']?)")
WORD = re.compile(r"[^\s\"'`=:,;&|()<>]+")
ENTERED = re.compile(r"(?:\bcd|-C|--(?:directory|prefix|cwd))[\s=]+[\"']?([^\s\"';&|]+)")
MODULE = re.compile(r"-m\s*([\w.]+)")
RUNNERS = re.compile(
    r"(?:.*/)?(?:GNUmakefile|[Mm]akefile|.*\.mk|\.?[Jj]ustfile|package\.json|.*run[-_]?(?:all[-_]?)?tests?[^/]*)"
)
OTHER_RUNNER = re.compile(r"\b(?:npm|npx|yarn|pnpm|jest|vitest|mocha|go|cargo|mvnw?|gradlew?|phpunit|rspec)\b")
PYTEST = re.compile(r"^[^;&|#\n]*\bpy\.?test\b(?!\.)([^;&|#\n]*)$")
NEEDS_TEST = "Give the command that runs the tests with --test."


def detect_command(workspace: Workspace, session: str = "tests", nodes: Sequence[str] = ()) -> str:
    """The test command that fits the repository, or the part of it that holds `nodes`. Raises UsageError."""
    return detect(workspace, session, nodes)[0]


def detect(workspace: Workspace, session: str = "tests", nodes: Sequence[str] = ()) -> tuple[str, str]:
    """The test command that fits the repository, and the version of its Python, if that runs it. Raises UsageError.

    In a repository of many projects `nodes` say which; where they say nothing, it is the one at the top, else the
    first below that is not Python's.
    """

    def look(path: str) -> str:
        try:
            return workspace.read(path, LARGEST).decode("utf-8", "replace")
        except (OSError, UsageError):
            return ""

    files = _manifests(workspace, session)
    folder = project_of(nodes, files, look)
    command = project_command(folder, files, look)
    if command and not is_python(folder, files):
        return command, ""
    try:
        return _python_command(workspace, session, folder, files, look)
    except UsageError:
        if command := command or first_command(files, look):
            return command, ""
        raise


def _manifests(workspace: Workspace, session: str) -> frozenset[str]:
    """The paths of all files that say how a project is built or tested, three folders down."""
    names = " -o ".join(f"-name {shlex.quote(name)}" for name in MANIFESTS)
    ignored = r"\( -name node_modules -o -name .git -o -name vendor -o -name target \) -prune -o"
    place = shlex.quote(workspace.root)
    found = workspace.run(f"cd {place} && find . -maxdepth 4 {ignored} \\( {names} \\) -print", 60, session)
    return frozenset(line.removeprefix("./") for line in found.text.splitlines()[:MOST_MANIFESTS])


def _python_command(
    workspace: Workspace, session: str, folder: str, files: Collection[str], look: Callable[[str], str]
) -> tuple[str, str]:
    path = f"{workspace.harness}/detect.py"
    workspace.write(path, resources("aci.inside").joinpath("detect.py").read_bytes())
    place = f'{shlex.quote(path)} {shlex.quote(posixpath.join(workspace.root, folder))} "$PYTHONPATH"'
    ran = workspace.run(f"PYTHONPATH= python3 {place} || PYTHONPATH= python {place}", 60, session)
    found = _last_object(ran.text)
    if not found:
        raise UsageError("The workspace has no Python that could run the tests.", NEEDS_TEST)
    version = str(found.get("version", ""))
    if own := django_command(str(found["python"]), folder, files, look):
        return own, version
    if not found["tests"]:
        raise UsageError("No tests were found in the repository.", NEEDS_TEST)
    if found["pytest"]:
        return within(folder, f"{shlex.quote(str(found['pytest']))} -m pytest"), version
    if not found["start"]:
        raise UsageError(
            "The repository's tests look like pytest's, but the workspace's Python has no pytest.",
            f"Choose an image that has it with --image. {NEEDS_TEST}",
        )
    options = [str(option) for option in found["start"]]
    return within(folder, shlex.join([str(found["python"]), "-m", "unittest", "discover", *options])), version


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
    if PYTEST.search(command):
        files = named_files(command)
        kept = [word for word in re.split(r"(?<=\s)", command) if word.strip() not in files]
        return f"{''.join(kept).rstrip()} {' '.join(quoted)}{more}"
    if "-m unittest" in command:
        return f"{command} {' '.join(f'-k {node}' for node in quoted)}{more}"
    if re.search(r"manage\.py test|runtests\.py", command):
        return f"{command} {' '.join(quoted)}{more}"
    if OTHER_RUNNER.search(command):
        return f"{command}  # {' '.join(quoted)}{more.replace('  #', '')}"
    return f"{command if 'pytest' in command else 'python3 -m pytest'} {' '.join(quoted)}{more}"


def named_files(command: str) -> list[str]:
    """The files (or tests in them) that a command of pytest's alone names to be run; none where it runs the suite."""
    if not (match := PYTEST.search(command)):
        return []
    words = match[1].split()
    return [
        word
        for before, word in pairwise(["", *words])
        if re.fullmatch(r"[\w./+-]+\.py(?:::[\w:]+)?", word)
        and not word.startswith("-")
        and not re.fullmatch(r"-[a-zA-Z]*[ckmpoWn]|--[\w-]+", before)
    ]


def grouped(nodes: Sequence[str], files: Collection[str]) -> list[str]:
    """The nodes, with one of the `files` in place of many of its tests."""
    many = Counter(node.partition("::")[0] for node in nodes)
    whole = {path for path, count in many.items() if count >= MANY_OF_FILE and path in files}
    paths = ((node, node.partition("::")[0]) for node in nodes)
    return list(dict.fromkeys(path if path in whole else node for node, path in paths))
