"""Which file or folder of a tree a module's name means in languages other than Python, from paths alone.

A folder whose files share their names, a package of Go or Java, is written `folder/*.go`.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain

from aci.graph.modules import PythonModules, folder, join

SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")
PACKAGES = (".go", ".java")
MOST_PARTS = 20
"""Of the name of a package of Go or Java."""


class Modules:
    """Of all languages, by the ending of the importer's path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self.python = PythonModules(self._paths)
        self._packages: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            if path.endswith(PACKAGES):
                self._packages[self.around(path)].append(path)

    def find(self, module: str, importer: str) -> str:
        """The file or folder that `importer` calls that; "" if the tree has none."""
        if importer.endswith(".py"):
            return self.python.find(module, importer)
        ending = importer[importer.rfind(".") :]
        if ending == ".java":
            return self._java(module)
        if ending == ".go":
            return self._go(module)
        if ending == ".rs":
            return self._rust(module, importer)
        return self._script(module, importer) if ending in SCRIPTS else self.python.find(module, importer)

    def inside(self, module: str, name: str) -> str:
        """The module of that name in another, "" if there is none."""
        if module.endswith(".java"):
            found = join(folder(module), f"{name}.java")
            return found if module.endswith("*.java") and found in self._paths else ""
        return self._rust_inside(module, name) if module.endswith(".rs") else self.python.inside(module, name)

    def around(self, path: str) -> str:
        """The folder whose names a file sees without importing them, "" for none."""
        return join(folder(path), f"*{path[path.rfind('.') :]}") if path.endswith(PACKAGES) else ""

    def files(self, package: str) -> list[str]:
        """Of a folder whose files share their names."""
        return self._packages.get(package, [])

    def _script(self, module: str, importer: str) -> str:
        if not module.startswith("."):
            return ""
        stem = posixpath.normpath(posixpath.join(folder(importer), module))
        bare = stem.rpartition(".")[0] if stem.endswith((".js", ".jsx", ".mjs", ".cjs")) else stem
        if stem in self._paths:
            return stem
        tried = (one + ending for one in (stem, bare, f"{stem}/index") for ending in SCRIPTS)
        return next((one for one in tried if one in self._paths), "")

    def _java(self, module: str) -> str:
        """A class by its file; a package by its folder. Of several sources' roots the first."""
        return self._java_ends.get(module.replace(".", "/"), "")

    @cached_property
    def _java_ends(self) -> dict[str, str]:
        """By the last parts of its path, however many: each class, and each package that is not called as one."""
        ends: dict[str, str] = {}
        packages = {one: files for one, files in self._packages.items() if one.endswith(".java")}
        for file in chain.from_iterable(packages.values()):
            for end in _ends(file.removesuffix(".java")):
                ends.setdefault(end, file)
        for package in packages:
            for end in _ends(folder(package)):
                ends.setdefault(end, package)
        return ends

    def _go(self, module: str) -> str:
        """The package whose folder ends like the import's path, or is the end of it; the longest."""
        return next((one for end in _ends(module) if (one := f"{end}/*.go") in self._packages), "")

    def _rust(self, module: str, importer: str) -> str:
        parts = module.split("::")
        at = importer
        for part in parts:
            if part == "crate":
                at = self._crate(importer)
            elif part == "super":
                at = self._rust_above(at)
            elif part != "self":
                at = self._rust_inside(at, part)
            if not at:
                return ""
        return at

    def _crate(self, path: str) -> str:
        above = folder(path)
        while above and above.rpartition("/")[2] != "src":
            above = folder(above)
        return next((one for one in (join(above, "lib.rs"), join(above, "main.rs")) if one in self._paths), "")

    def _rust_inside(self, path: str, name: str) -> str:
        stem = path.removesuffix(".rs")
        below = folder(path) if stem.rpartition("/")[2] in ("mod", "lib", "main") else stem
        return next((one for one in (f"{below}/{name}.rs", f"{below}/{name}/mod.rs") if one in self._paths), "")

    def _rust_above(self, path: str) -> str:
        above = folder(path)
        if path.endswith("/mod.rs"):
            above = folder(above)
        tried = (f"{above}.rs", join(above, "mod.rs"), join(above, "lib.rs"), join(above, "main.rs"))
        return next((one for one in tried if one in self._paths and one != path), "")


def _ends(path: str) -> Iterator[str]:
    """The path itself and what is left of it without its first folders, longest first."""
    parts = path.split("/")[-MOST_PARTS:] if path else []
    return ("/".join(parts[first:]) for first in range(len(parts)))
