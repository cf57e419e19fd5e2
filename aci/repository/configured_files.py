"""Files that the user's git reads settings from, or that its settings and hooks name, in or near the working tree.

A patch that changes one of them changes what the next git command does. Only names are returned, whether or not the
files exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aci.repository.commit_programs import command_words, hooks_folder
from aci.repository.config_files import ConfigReader, Setting, parse_settings, place_of
from aci.repository.git_view import common_folder, path_in
from aci.repository.user_repository import Repository
from trajectories.git_store.git_commands import decode, git

MAX_CONFIG_FILES = 200
"""Maximum number of files with settings of the system, the user and the repository together."""
FOLDERS = ("path", "dir")
"""Ends of the names of settings whose value may be a folder, such as `core.hooksPath` and `init.templateDir`."""
_WORD = re.compile(r"[\w.+@/~-]+")


class NamedPath(NamedTuple):
    name: str
    """The setting, or the hook."""
    place: Path
    is_folder: bool
    """Whether the place may be a folder whose files count."""


@dataclass(frozen=True, slots=True)
class ConfiguredFiles:
    """All paths are absolute, and may lead through links."""

    trees: tuple[Path, ...]
    """The working trees of the repository: this one, and those of its other worktrees."""
    settings: tuple[Path, ...]
    """The files from which git reads settings, for this repository or for another one with the same user."""
    named: tuple[NamedPath, ...]
    """The files and folders that a setting names, alone or in a command, and the hooks."""


def configured_files(repository: Repository) -> ConfiguredFiles:
    """Return the files that configure git for a repository. Conditions of includes are not evaluated: each one counts.

    Raises UsageError for a file with settings that cannot be read, and for too many files.
    """
    reader = ConfigReader(MAX_CONFIG_FILES)
    files, settings = _users_settings(repository)
    files += [common_folder(repository.git_dir) / "config", repository.git_dir / "config.worktree"]
    for file in files:
        settings += reader.read(file)
    included = [place_of(each.value, each.file.parent) for each in settings if each.is_include]
    named = [*_named_paths(repository.root, settings), *_hooks(repository)]
    return ConfiguredFiles(tuple(_working_trees(repository)), (*files, *included), tuple(named))


def _users_settings(repository: Repository) -> tuple[list[Path], list[Setting]]:
    """Return the files with settings of the system and of the user, whether or not the user's exist, and the settings
    in variables (`GIT_CONFIG_COUNT`)."""
    options = ("--list", "--show-scope", "--show-origin", "--no-includes", "-z")
    listed = decode(git("config", *options, env=repository.view.environment({}), cwd=repository.root)).split("\0")
    files: dict[Path, None] = dict.fromkeys(_default_files(repository.root))
    given: list[Setting] = []
    for scope, origin, setting in zip(listed[::3], listed[1::3], listed[2::3], strict=False):
        kind, _, path = origin.partition(":")
        if kind == "file" and scope != "local":
            files[repository.root / path] = None
        elif scope == "command":
            for name, value in parse_settings([setting]):
                given.append(each := Setting(name, value, repository.root / "variables", False))
                if each.is_include:
                    files[place_of(value, repository.root)] = None
    return list(files), given


def _default_files(root: Path) -> Iterator[Path]:
    """Yield the files in which git looks for the user's settings."""
    if (named := os.environ.get("GIT_CONFIG_GLOBAL")) is not None:
        yield from [root / named] if named else []
        return
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "git", "config")
    yield Path.home() / ".gitconfig"


def _named_paths(root: Path, settings: Iterable[Setting]) -> Iterator[NamedPath]:
    """Yield the paths that values are, or contain as a word: git starts programs in the root of the working tree. After
    a substitution, as in `$(git rev-parse --show-toplevel)/x`, a path looks like an absolute one."""
    for each in settings:
        words = {each.value, *command_words(each.value), *_WORD.findall(each.value)} - {""}
        for word in words if not each.is_include else ():
            is_folder = word == each.value and each.name.endswith(FOLDERS)
            yield NamedPath(each.name, place_of(word, root), is_folder)
            if word.startswith("/"):
                yield NamedPath(each.name, root / word.lstrip("/"), False)


def _hooks(repository: Repository) -> Iterator[NamedPath]:
    """Yield the entries of the folder of hooks, which may be links into the working tree."""
    with suppress(OSError):  # there is no such folder
        for hook in hooks_folder(repository).iterdir():
            yield NamedPath(f"hooks/{hook.name}", hook, False)


def _working_trees(repository: Repository) -> Iterator[Path]:
    """Yield the folders in which the files of a branch may be: the user can check it out in each worktree."""
    common = common_folder(repository.git_dir)
    if not repository.bare:
        yield repository.root
    if common.name == ".git":
        yield common.parent
    for link in common.glob("worktrees/*/gitdir"):
        yield (link.parent / path_in(link)).parent
