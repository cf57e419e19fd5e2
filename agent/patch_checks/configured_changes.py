"""Changes of files that configure the user's git, or that its settings and hooks name.

The files are looked up as they would be after the delivery: a link of the patch may lead to another file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aci.observation.untrusted_text import escape_invisible
from aci.repository.configured_files import configured_files
from agent.patch_checks.protected_paths import plain_path
from agent.permissions.link_names import MOST_LINKS, links_in

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from trajectories.git_store.trees import Trees

CONFIGURATION = "git reads its configuration from it"


class ConfiguredChanges(NamedTuple):
    """The changed paths, each with a phrase that says what git does with the file."""

    settings: Mapping[str, str]
    """New and changed files with settings, which can start programs."""
    others: Mapping[str, str]
    """Files that settings or hooks name, which may be programs, and removed files with settings."""


def configured_changes(trees: Trees, before: str, after: str, repository: Repository) -> ConfiguredChanges:
    """Return the changes that turn the tree `before` into `after` and change what git does on the user's machine.

    Raises RunBroken for trees that cannot be read, and UsageError if a file with settings of git cannot be read.
    """
    changes = trees.changed(before, after)
    if not changes:
        return ConfiguredChanges({}, {})
    found = configured_files(repository)
    roots = tuple(dict.fromkeys(plain_path(os.path.realpath(tree)) for tree in found.trees))
    delivered = _DeliveredFiles(roots, _plain_links(trees, before), _plain_links(trees, after))
    settings = {place for file in found.settings for place in delivered.passed(file)}
    named: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name, place, is_folder in found.named:
        why = f"is named by {escape_invisible(name)[:100]} in git's configuration"
        places = delivered.passed(place)
        named |= {each: why for each in places if each not in named}
        if is_folder and places:
            folders.setdefault(f"{places[-1]}/", why)
    read: dict[str, str] = {}
    others: dict[str, str] = {}
    for change in changes:
        plain = plain_path(change.path)
        if plain in settings:
            (others if change.status == "D" else read)[change.path] = CONFIGURATION
        elif why := named.get(plain) or _why_in(plain, folders):
            others[change.path] = why
    return ConfiguredChanges(read, others)


def _why_in(path: str, folders: Mapping[str, str]) -> str:
    return next((why for folder, why in folders.items() if path.startswith(folder)), "")


def _plain_links(trees: Trees, tree: str) -> dict[str, str]:
    return {plain_path(path): target for path, target in links_in(trees, tree).items()}


@dataclass(frozen=True, slots=True)
class _DeliveredFiles:
    """The user's files with the links that the patch leaves, removes and adds. Paths in it are relative to the working
    tree, in the form of `plain_path`."""

    roots: tuple[str, ...]
    old_links: Mapping[str, str]
    new_links: Mapping[str, str]
    _known: dict[Path, str | None] = field(default_factory=dict)

    def passed(self, place: Path) -> list[str]:
        """Return the folders, links and the file in the working tree that a path leads through, in this order."""
        return list(self._steps(place))

    def _steps(self, place: Path) -> Iterator[str]:
        left, at, followed = [*reversed(place.parts[1:])], Path("/"), 0
        while left:
            part = left.pop()
            at = at.parent if part == ".." else at / part
            inner = self._inner(at)
            if inner:
                yield inner
            target = None if part == ".." else self._target(at, inner)
            if target is not None:
                followed += 1
                if followed > MOST_LINKS:
                    return
                at = Path("/") if target.startswith("/") else at.parent
                left += [name for name in reversed(Path(target).parts) if name != "/"]

    def _inner(self, at: Path) -> str:
        """Return a path relative to the working tree; "" for the root and for a path outside of it."""
        plain = plain_path(str(at))
        return next((plain[len(root) + 1 :] for root in self.roots if plain.startswith(f"{root}/")), "")

    def _target(self, at: Path, inner: str) -> str | None:
        """Return what a link contains; None for anything else."""
        if inner in self.new_links or inner in self.old_links:
            return self.new_links.get(inner)
        if at not in self._known:
            try:
                self._known[at] = str(at.readlink())
            except (OSError, ValueError):  # it is no link, or the name is not possible
                self._known[at] = None
        return self._known[at]
