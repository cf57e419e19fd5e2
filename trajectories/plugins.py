"""Plugins found by file name: `find("tools", "shell", "shell", "tool")`. Listing plugins does not import them.

A new model, tool, strategy, workspace or export is one new file; other packages add plugins through an entry point in
the group `swe_agent.<package>`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trajectories.errors import UsageError

FORMER_PACKAGES = {
    "agent.batch.executors": ("agent.batch.places",),
    "trajectories.importers": ("trajectories.foreign",),
}
"""Former names of packages, before version 0.2, whose entry point groups are still supported."""

SIMILAR = 0.65
"""Minimum similarity, from 0 to 1, of a mistyped name and the one that is suggested."""


def names(package: str) -> dict[str, str]:
    """Map command-line names to modules, for every plugin of a package. An entry point cannot replace a built-in
    plugin."""
    found = built_in_plugins(package)
    for name, module in _outsiders(package, tuple(sys.path)):
        found.setdefault(name.replace("_", "-"), module)
    return found


def built_in_plugins(package: str) -> dict[str, str]:
    """Map command-line names to modules, for the plugins that are files of the package itself."""
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    return {
        file.stem.replace("_", "-"): f"{package}.{file.stem}"
        for folder in folders
        for file in sorted(Path(folder).glob("[a-z]*.py"))
    }


@cache
def _outsiders(package: str, path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the entry points of the packages on `path`. The result is cached, because finding it reads a metadata file
    of each package."""
    groups = [package, *FORMER_PACKAGES.get(package, ())]
    return tuple((one.name, one.value) for group in groups for one in _entries(path).select(group=f"swe_agent.{group}"))


@cache
def _entries(path: tuple[str, ...]) -> Any:
    """Return the entry points of all groups; calling `select` on them takes milliseconds."""
    return entry_points()


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known name that is most similar to a mistyped one; "" if none is similar."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1, cutoff=SIMILAR)), "")


def find(package: str, name: str, attribute: str, what: str) -> Any:
    """Return the `attribute` of the plugin `name`. Raises UsageError, which lists the existing plugins."""
    known = names(package)
    name = name.replace("_", "-")
    if name not in known:
        raise UsageError(f"There is no {what} named {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return getattr(import_module(known[name]), attribute)
