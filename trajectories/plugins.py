"""Parts found by file name: `find("tools", "shell", "shell", "tool")`. Nothing is imported to list them.

Adding a model, tool, strategy, workspace or export is one new file; outsiders add theirs through an entry point
in the group `swe_agent.<package>`.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trajectories.errors import UsageError


def names(package: str) -> dict[str, str]:
    """Name on the command line -> module, for every part of a package. An entry point cannot take a built-in's name."""
    found = built_in(package)
    for name, module in _outsiders(package, tuple(sys.path)):
        found.setdefault(name.replace("_", "-"), module)
    return found


def built_in(package: str) -> dict[str, str]:
    """Name on the command line -> module, for the parts that are files of the package itself."""
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    return {
        file.stem.replace("_", "-"): f"{package}.{file.stem}"
        for folder in folders
        for file in sorted(Path(folder).glob("[a-z]*.py"))
    }


@cache
def _outsiders(package: str, path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The entry points of the packages on `path`, each of whose metadata is a file to read."""
    return tuple((entry.name, entry.value) for entry in _entries(path).select(group=f"swe_agent.{package}"))


@cache
def _entries(path: tuple[str, ...]) -> Any:
    """All of them, whatever their group; has `select`, which takes milliseconds."""
    return entry_points()


def find(package: str, name: str, attribute: str, what: str) -> Any:
    """The `attribute` of the part `name`. Raises UsageError that lists the parts there are."""
    known = names(package)
    name = name.replace("_", "-")
    if name not in known:
        raise UsageError(f"There is no {what} named {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return getattr(import_module(known[name]), attribute)
