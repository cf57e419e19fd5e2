"""Resolution of module names, in all languages, to files or folders of a tree, based only on paths.

A folder whose files share one namespace, such as a Go or Java package, is written `folder/*.go`.
"""

from __future__ import annotations

import posixpath
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain

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


INIT = "__init__.py"
SOURCES = frozenset(("", "src", "lib", "python"))
"""Names of folders whose top-level modules can be imported by files outside the folder."""


def folder(path: str) -> str:
    return path.rpartition("/")[0]


def join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


class PythonModules:
    """The Python modules of a tree.

    A module is represented by the path of its file, a package by that of its `__init__.py` or, if it has none, by its
    folder followed by `/`.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(path for path in paths if path.endswith((".py", ".pyi", ".pyx")))
        self._known: dict[tuple[str, str], str] = {}
        self._far: dict[str, str] = {}
        """The module that a name refers to in files outside the module's folder."""

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
    def _roots(self) -> dict[str, set[str]]:
        """The folders that contain a module or package with a given name, by that name; folders that are packages are
        left out."""
        roots: dict[str, set[str]] = defaultdict(set)
        for path in self._paths:
            above, _, file = path.rpartition("/")
            roots[file.rpartition(".")[0]].add(above)
        for inner in self._folders:
            above, _, name = inner.rpartition("/")
            roots[name].add(above)
        packages = {above for above in {"", *self._folders} if self.is_package(above)}
        return {name: found - packages for name, found in roots.items()}

    def find(self, module: str, importer: str) -> str:
        """Return the module that a name refers to in `importer`; "" if the tree has none. Leading dots make the name
        relative."""
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
            return self.at(join(above, *name.split("."))) if name else self._package(above)
        first = name.partition(".")[0]
        for root in self._folders_above(above):
            if root in self._roots.get(first, ()) and (found := self._below(root, name)):
                return found
        if name not in self._far:
            self._far[name] = next((one for root in self._import_roots(first) if (one := self._below(root, name))), "")
        return self._far[name]

    def _below(self, root: str, name: str) -> str:
        """Return the module with a dotted name in a folder; a folder without `__init__.py` does not shadow a standard
        library module."""
        found = self.at(join(root, *name.split(".")))
        return "" if found.endswith("/") and name.partition(".")[0] in sys.stdlib_module_names else found

    def _folders_above(self, above: str) -> Iterator[str]:
        """Yield a folder and its parents, innermost first, ending with the root of the tree."""
        while above:
            yield above
            above = folder(above)
        yield ""

    def _import_roots(self, first: str) -> list[str]:
        """Return the folders that may be on the import path for a top-level name, the most likely first."""
        if first in sys.stdlib_module_names:
            return []
        ranked = [(not self.is_package(join(root, first)), root) for root in self._roots.get(first, ())]
        return [root for bare, root in sorted(ranked) if not bare or self._is_source(root)]

    def _is_source(self, root: str) -> bool:
        return root.rpartition("/")[2] in SOURCES or "/" not in root

    def is_package(self, folder: str) -> bool:
        return join(folder, INIT) in self._paths

    def at(self, stem: str) -> str:
        """Return the module whose path without its extension is `stem`; "" if there is none."""
        if self.is_package(stem):
            return join(stem, INIT)
        for ending in (".py", ".pyi", ".pyx"):
            if stem + ending in self._paths:
                return stem + ending
        return self._package(stem)

    def _package(self, folder: str) -> str:
        if self.is_package(folder):
            return join(folder, INIT)
        return f"{folder}/" if not folder or folder in self._folders else ""

    def inside(self, package: str, name: str) -> str:
        """Return the module of that name in a package; "" if there is none."""
        if package.endswith(("/", f"/{INIT}")) or package == INIT:
            return self.at(join(folder(package), name))
        return ""
