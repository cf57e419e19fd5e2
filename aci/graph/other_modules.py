"""Resolution of module names, in all languages, to files or folders of a tree, based only on paths.

A folder whose files share one namespace, such as a Go or Java package, is written `folder/*.go`.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain

from aci.graph.python_modules import PythonModules, folder, join

SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")
PACKAGES = (".go", ".java")
MOST_PARTS = 20
"""Maximum number of parts of a Go or Java package's name."""


class ModuleResolver:
    """Resolver of module names in a tree; the importing file determines the language."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self.python = PythonModules(self._paths)
        self._packages: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            if path.endswith(PACKAGES):
                self._packages[self.around(path)].append(path)

    def find(self, module: str, importer: str) -> str:
        """Return the file or folder that a module's name refers to in `importer`; "" if the tree has none."""
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
        """Return the module called `name` inside another module; "" if there is none."""
        if module.endswith(".java"):
            found = join(folder(module), f"{name}.java")
            return found if module.endswith("*.java") and found in self._paths else ""
        return self._rust_inside(module, name) if module.endswith(".rs") else self.python.inside(module, name)

    def around(self, path: str) -> str:
        """Return the folder whose names a file can use without importing them; "" if there is none."""
        return join(folder(path), f"*{path[path.rfind('.') :]}") if path.endswith(PACKAGES) else ""

    def files(self, package: str) -> list[str]:
        """Return the files of a folder whose files share one namespace."""
        return self._packages.get(package, [])

    def _script(self, module: str, importer: str) -> str:
        if not module.startswith("."):
            return ""
        stem = posixpath.normpath(posixpath.join(folder(importer), module))
        bare = stem.rpartition(".")[0] if stem.endswith((".js", ".jsx", ".mjs", ".cjs")) else stem
        if stem in self._paths:
            return stem
        candidates = (one + ending for one in (stem, bare, f"{stem}/index") for ending in SCRIPTS)
        return next((one for one in candidates if one in self._paths), "")

    def _java(self, module: str) -> str:
        """Return the file of a class or the folder of a package, from the first source root that has it."""
        return self._java_suffixes.get(module.replace(".", "/"), "")

    @cached_property
    def _java_suffixes(self) -> dict[str, str]:
        """The file of the class, or else the package, for each suffix of a path."""
        ends: dict[str, str] = {}
        packages = {one: files for one, files in self._packages.items() if one.endswith(".java")}
        for file in chain.from_iterable(packages.values()):
            for end in _suffixes(file.removesuffix(".java")):
                ends.setdefault(end, file)
        for package in packages:
            for end in _suffixes(folder(package)):
                ends.setdefault(end, package)
        return ends

    def _go(self, module: str) -> str:
        """Return the package whose folder is the longest matching suffix of the import path."""
        return next((one for end in _suffixes(module) if (one := f"{end}/*.go") in self._packages), "")

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
        candidates = (f"{above}.rs", join(above, "mod.rs"), join(above, "lib.rs"), join(above, "main.rs"))
        return next((one for one in candidates if one in self._paths and one != path), "")


def _suffixes(path: str) -> Iterator[str]:
    """Yield the path and its suffixes, removing one leading folder at a time."""
    parts = path.split("/")[-MOST_PARTS:] if path else []
    return ("/".join(parts[first:]) for first in range(len(parts)))
