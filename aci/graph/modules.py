"""Which file of a tree a module's name means, from its paths alone."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

INIT = "__init__.py"
SOURCES = frozenset(("", "src", "lib", "python"))
"""Folders that hold top-level modules without being anybody's ancestor."""


def folder(path: str) -> str:
    return path.rpartition("/")[0]


def join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


class PythonModules:
    """A module is the path of its file; of a package that of its `__init__.py`, without one its folder and `/`."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(path for path in paths if path.endswith((".py", ".pyi", ".pyx")))
        self._known: dict[tuple[str, str], str] = {}

    @cached_property
    def _folders(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self._paths:
            above = folder(path)
            while above and above not in found:
                found.add(above)
                above = folder(above)
        return frozenset(found)

    @cached_property
    def _roots(self) -> dict[str, list[str]]:
        """By first part of a dotted name: the folders that hold a module or package of that name."""
        roots: dict[str, set[str]] = defaultdict(set)
        for path in self._paths:
            above, _, file = path.rpartition("/")
            roots[file.rpartition(".")[0]].add(above)
        for inner in self._folders:
            above, _, name = inner.rpartition("/")
            roots[name].add(above)
        return {name: sorted(found, key=lambda root: (root.count("/"), root)) for name, found in roots.items()}

    def find(self, module: str, importer: str) -> str:
        """The module that `importer` calls that; "" if the tree has none. Leading dots make it relative."""
        above = folder(importer)
        known = self._known.get((module, above))
        if known is None:
            known = self._known[module, above] = self._find(module, above)
        return known

    def _find(self, module: str, above: str) -> str:
        name = module.lstrip(".")
        if dots := len(module) - len(name):
            for _ in range(dots - 1):
                if not above:
                    return ""
                above = folder(above)
            return self.at(join(above, *name.split(".")))
        first, *rest = name.split(".")
        for root in self._ranked(first, above):
            found = self.at(join(root, first, *rest))
            if found and not (found.endswith("/") and first in sys.stdlib_module_names):
                return found
        return ""

    def _ranked(self, first: str, above: str) -> list[str]:
        """The folders that may be on the importer's path, likeliest first: those around it, then the shallowest."""
        ranked = []
        for root in self._roots.get(first, ()):
            around = not root or f"{above}/".startswith(f"{root}/")
            if self.is_package(root):
                continue
            package = self.is_package(join(root, first))
            if around or (first not in sys.stdlib_module_names and (package or self._is_source(root))):
                ranked.append((not around, -len(root) if around else 0, not package, root))
        return [root for *_, root in sorted(ranked)]

    def _is_source(self, root: str) -> bool:
        return root.rpartition("/")[2] in SOURCES or "/" not in root

    def is_package(self, folder: str) -> bool:
        return join(folder, INIT) in self._paths

    def at(self, stem: str) -> str:
        """The module at a path without its ending."""
        if (package := join(stem, INIT)) in self._paths:
            return package
        for ending in (".py", ".pyi", ".pyx"):
            if stem + ending in self._paths:
                return stem + ending
        return f"{stem}/" if not stem or stem in self._folders else ""

    def inside(self, package: str, name: str) -> str:
        """The module of that name in a package, "" if there is none."""
        if package.endswith(("/", f"/{INIT}")) or package == INIT:
            return self.at(join(folder(package), name))
        return ""
