"""Plugins found by file name: `find("tools", "shell", "shell", "tool")`. Listing plugins does not import them.

A new model, tool, strategy, subcommand, workspace or export is one new file, in the package of its kind or in an
extension. An extension is a folder in `extensions/`; the table PLUGINS in its `__init__` names its subpackage for each
kind, such as `{"agent.cli.commands": "commands"}`, and REQUIRES the extensions without which it does not work. Other
distributions add plugins through an entry point in the group `swe_agent.<package>`.
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

FORMER_PACKAGES = {
    "extensions.lab.batch.executors": ("agent.batch.executors", "agent.batch.places"),
    "extensions.lab.synthesis.executors": ("agent.synthesis.executors",),
    "extensions.lab.synthesis.kinds": ("agent.synthesis.kinds",),
    "extensions.optimize.counters": ("aci.counters",),
    "extensions.interactive.session.commands": ("agent.session.commands",),
    "trajectories.importers": ("trajectories.foreign",),
}
"""Former names of packages, of an earlier version, whose entry point groups are still supported."""


EXTENSIONS = "extensions"


def names(package: str) -> dict[str, str]:
    """Map command-line names to modules, for every plugin of a package. An entry point cannot replace a plugin of the
    package or of an extension, nor an extension one of the package."""
    found = own_plugins(package)
    for name, module in _outsiders(package, tuple(sys.path)):
        found.setdefault(name.replace("_", "-"), module)
    return found


def own_plugins(package: str) -> dict[str, str]:
    """Map command-line names to modules, for the plugins of a package that belong to this program: its own and those of
    extensions."""
    found: dict[str, str] = {}
    for own in (package, *extension_packages(package)):
        found = built_in_plugins(own) | found
    return found


def built_in_plugins(package: str) -> dict[str, str]:
    """Map command-line names to modules, for the plugins that are files of the package itself."""
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:  # its extension is not installed
        spec = None
    folders = (spec.submodule_search_locations if spec else None) or []
    return {
        file.stem.replace("_", "-"): f"{package}.{file.stem}"
        for folder in folders
        for file in sorted(Path(folder).glob("[a-z]*.py"))
    }


def extension_packages(package: str) -> list[str]:
    """Return the packages in which extensions have plugins of the kind of `package`."""
    tables = ((name, extension_table(name).get(package)) for name in extension_names())
    return [f"{EXTENSIONS}.{name}.{own}" for name, own in tables if own]


@cache
def extension_names() -> tuple[str, ...]:
    """Return the names of the extensions that are installed, with all that they require."""
    installed = _extension_folders()
    return tuple(name for name in installed if required_extensions(name) <= set(installed))


@cache
def _extension_folders() -> tuple[str, ...]:
    spec = find_spec(EXTENSIONS)
    folders = map(Path, (spec.submodule_search_locations if spec else None) or ())
    return tuple(sorted(file.parent.name for folder in folders for file in folder.glob("[a-z]*/__init__.py")))


def required_extensions(name: str) -> set[str]:
    """Return the names of the extensions without which an extension does not work, directly or through another one."""
    direct = set(getattr(import_module(f"{EXTENSIONS}.{name}"), "REQUIRES", ()))
    return direct.union(*map(required_extensions, direct & set(_extension_folders())))


def extension_table(name: str) -> dict[str, str]:
    """Return the subpackage of an extension for each kind of plugin; only its `__init__` is imported."""
    table: dict[str, str] = getattr(import_module(f"{EXTENSIONS}.{name}"), "PLUGINS", {})
    return table


def extension_module(kind: str, what: str, extension: str) -> Any:
    """Import and return the module that an extension has for `kind`, which serves `what`. Raises UsageError if the
    extension is not installed."""
    if module := installed_module(kind):
        return module
    raise missing_extension(what, extension)


def serving_module(kind: str, url: str, what: str, extension: str) -> Any:
    """Import and return the module that an extension has for `kind` whose `serves(url)` is true, else the one of the
    `extension`. Raises UsageError, for `what`, if that is not installed."""
    modules = {package.split(".")[1]: import_module(package) for package in extension_packages(kind)}
    if module := next((each for each in modules.values() if each.serves(url)), modules.get(extension)):
        return module
    raise missing_extension(what, extension)


def installed_module(kind: str) -> Any:
    """Import and return the module that an extension has for `kind`; None if no such extension is installed."""
    return next(map(import_module, extension_packages(kind)), None)


def missing_extension(what: str, extension: str) -> UsageError:
    """Return the error for something that an extension would serve, which is not installed or lacks another one."""
    fix = "Install swe-agent again."
    installed = set(_extension_folders())
    if extension in installed and (missing := ", ".join(sorted(required_extensions(extension) - installed))):
        return UsageError(f"{what} requires the extension {missing}, which is not installed.", fix)
    return UsageError(f"{what} is in the extension {extension}, which is not installed.", fix)


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


def find(package: str, name: str, attribute: str, what: str) -> Any:
    """Return the `attribute` of the plugin `name`. Raises UsageError, which lists the existing plugins."""
    known = names(package)
    name = name.replace("_", "-")
    if name not in known:
        raise UsageError(f"There is no {what} named {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return getattr(import_module(known[name]), attribute)
