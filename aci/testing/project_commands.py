"""Joined test commands, which run the tests of several projects of a repository, each in its own folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

ROOT = "."
"""The folder in which a joined command runs the tests that belong to no project."""
_START = "code=0; worst() { code=$(($1 != 5 && $1 > code ? $1 : code)); }"
"""The highest code of a project is the exit code of a joined command; pytest's code 5 means that it found no tests."""
_FOLDER = r"(?!-)[\w@%+=:,./-]+"
_GROUP = re.compile(rf"\(cd ({_FOLDER}) && ([^()]+)\)", re.ASCII)


def can_be_joined(folder: str) -> bool:
    """Whether the folder's name needs no quotes, so that a joined command can enter it."""
    return bool(re.fullmatch(_FOLDER, folder, re.ASCII))


def join_pytest(pytest: str, folders: Sequence[str]) -> str:
    """Return a shell command that runs pytest in each of these folders."""
    ignored = "".join(f" --ignore={folder}" for folder in folders if folder != ROOT)
    commands = {folder: f"{pytest}{ignored}" if folder == ROOT else pytest for folder in folders}
    groups = (f"(cd {folder} && {command}) || worst $?" for folder, command in commands.items())
    return "; ".join([_START, *groups, "(exit $code)"])


def split_command(command: str) -> dict[str, str]:
    """Return the commands in a joined command by folder; empty for other commands."""
    return dict(_GROUP.findall(command)) if _START in command else {}


def replace_groups(command: str, replacement: Callable[[str, str], str]) -> str:
    """Return a joined command in which each command is replaced by `replacement` of its folder and itself."""
    return _GROUP.sub(lambda group: f"(cd {group[1]} && {replacement(group[1], group[2])})", command)


def nodes_by_folder(command: str, nodes: Sequence[str]) -> dict[str, list[str]]:
    """Return the nodes that a joined command has to run in each of its folders; empty for other commands.

    Nodes are relative to the root of the repository. A node that belongs to no project is run with the tests outside of
    all projects or, if there are none, in every project.
    """
    found: dict[str, list[str]] = {folder: [] for folder in split_command(command)}
    projects = [folder for folder in found if folder != ROOT]
    for node in nodes if found else ():
        path = posixpath.normpath(node.partition("::")[0])
        own = [folder for folder in projects if _is_inside(path, folder)]
        below = [folder for folder in projects if _is_inside(folder, path)]
        outside = [folder for folder in found if folder == ROOT]
        for folder in own or [*below, *outside] or found:
            found[folder].append(folder if folder in below else node)
    return found


def choose_project(command: str, nodes: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the command of the project that contains the first node, and the nodes in that project; other commands and
    their nodes stay as they are."""
    for folder in (folder for folder, own in nodes_by_folder(command, nodes[:1]).items() if own):
        return f"cd {folder} && {split_command(command)[folder]}", nodes_by_folder(command, nodes)[folder]
    return command, nodes


def _is_inside(path: str, folder: str) -> bool:
    """Whether a path, or the dotted name of a test, is this folder or lies below it."""
    is_dotted = "/" not in path and not path.endswith(".py")
    return path == folder or path.startswith((f"{folder}/", *([f"{folder.replace('/', '.')}."] if is_dotted else [])))
