"""Aliases of changed files: their paths through symbolic links in the repository, for rules that deny paths."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

LINK = "120000"
LONGEST_TARGET = 4096
MOST_LINKS, MOST_ROUNDS, MOST_NAMES = 40, 8, 200_000


def names_through_links(trees: Trees, before: str, after: str) -> Collection[str] | None:
    """Return the other paths of the changed files through the links in `after`; None if there are too many.

    For a new link, these include a path for each file below its target.
    """
    files, links = trees.files(after), links_in(trees, after)
    if not links:
        return ()
    targets = {path: target for path in links if (target := resolve_link(links, path)) is not None}
    changed = {change.path for change in trees.changed(before, after)}
    names = set(changed)
    new = names | {
        _replace_prefix(file, targets[link], link)
        for link in changed & targets.keys()
        for file in files
        if _is_below(file, targets[link])
    }
    for _ in range(MOST_ROUNDS):
        names |= new
        if len(names) > MOST_NAMES:
            return None
        found = set[str]()
        for name in _names_through(new, targets):
            found.add(name)
            if len(found) > MOST_NAMES:
                return None
        if not (new := found - names):
            return names - changed
    return (names | new) - changed


def links_in(trees: Trees, tree: str) -> dict[str, str]:
    """Return the links of a tree, each with the path that it contains."""
    return {
        path: trees.read_blob(entry.id).decode("utf-8", "surrogateescape")
        for path, entry in trees.files(tree).items()
        if entry.mode == LINK and entry.size <= LONGEST_TARGET
    }


def _names_through(names: Collection[str], targets: Mapping[str, str]) -> Iterator[str]:
    """Yield the other paths of each file through the links whose target is the file or one of its parent folders."""
    reaching: dict[str, list[str]] = {}
    for link, target in targets.items():
        reaching.setdefault(target, []).append(link)
    for name in names:
        folder = name
        while True:
            for link in reaching.get(folder, ()):
                yield _replace_prefix(name, folder, link)
            if not folder:
                break
            folder = posixpath.dirname(folder)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _replace_prefix(path: str, old: str, new: str) -> str:
    rest = path[len(old) :].lstrip("/")
    return f"{new}/{rest}" if rest else new


def resolve_link(links: Mapping[str, str], path: str) -> str | None:
    """Return the final target of a link, "" for the root; None for a target outside the repository or a loop."""
    left, at = path.split("/")[::-1], ""
    followed = 0
    while left:
        part = left.pop()
        if part == "..":
            if not at:
                return None
            at = posixpath.dirname(at)
        elif part not in ("", "."):
            at = posixpath.join(at, part)
        if at in links:
            followed += 1
            if followed > MOST_LINKS or links[at].startswith("/"):
                return None
            left += links[at].split("/")[::-1]
            at = posixpath.dirname(at)
    return at
