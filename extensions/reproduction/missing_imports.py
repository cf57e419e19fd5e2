"""Imports for names that an issue's example uses without importing them, as the repository itself imports them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aci.repository.test_files import is_test

if TYPE_CHECKING:
    from aci.repository.file_blobs import Blobs

_FROM = re.compile(
    r"^[ \t]{0,40}(?:(?P<prompt>>>>|\.\.\.) )?(?:(?<= )[ \t]{0,40})?from (?P<module>[A-Za-z_][\w.]*) import "
    r"(?:\((?P<many>[^)]{0,4000})\)|(?P<one>[^#\n(\\]{1,1000}))",
    re.MULTILINE,
)
_IMPORT = re.compile(
    r"^[ \t]{0,40}(?:(?P<prompt>>>>|\.\.\.) )?(?:(?<= )[ \t]{0,40})?import (?P<module>[\w.]+)(?: as (?P<name>\w+))?"
    r"[ \t]{0,40}(?:#.*)?$",
    re.MULTILINE,
)
_ASSIGNED = r"^(?:class|(?:async )?def) {name}\b|^{name}(?::[^=\n]+)? = "
DOCUMENTED, TESTED, OTHER = 100, 10, 1
"""Weights of an import in documentation and doctests, in tests, and in other code."""

DOCS = (".rst", ".md", ".txt")


def find_imports(blobs: Blobs, names: Iterable[str]) -> dict[str, str]:
    """Return an import statement for each name: the one that the repository's documentation, tests and code use most,
    or the import from the only module that defines the name. Names that are not found are left out."""
    wanted = frozenset(names)
    counts: dict[str, Counter[str]] = {name: Counter() for name in wanted}
    stars: Counter[str] = Counter()
    homes: dict[str, set[str]] = {name: set() for name in wanted}
    for path, text in _texts(blobs, wanted):
        for name, statement, is_documented in _imports(text):
            weight = DOCUMENTED if is_documented or path.endswith(DOCS) else TESTED if is_test(path) else OTHER
            if name == "*":
                stars[statement] += weight if weight == DOCUMENTED else 0
            elif name in wanted:
                counts[name][statement] += weight
        if path.endswith(".py") and not is_test(path):
            for name in wanted:
                if re.search(_ASSIGNED.format(name=re.escape(name)), text, re.MULTILINE):
                    homes[name].add(_module(path))
    star = max(stars, key=lambda one: stars[one], default="")
    found = {name: _choose(name, counts[name], star, homes[name]) for name in sorted(wanted)}
    return {name: statement for name, statement in found.items() if statement}


def _texts(blobs: Blobs, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    files = [file for file in blobs.files() if file.path.endswith((".py", *DOCS)) and file.mode.startswith("100")]
    for file, data in zip(files, blobs.read([file.id for file in files]), strict=True):
        if data is not None and (b"import *" in data or any(name.encode() in data for name in wanted)):
            yield file.path, data.decode("utf-8", "replace")


def _imports(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each imported name with a statement that imports it, and whether it follows a prompt."""
    for match in _FROM.finditer(text):
        for part in (match["many"] or match["one"]).replace("...", "").split(","):
            words = re.sub(r"#.*", "", part).split()
            if words and (len(words) == 1 or words[1:2] == ["as"]):
                yield words[-1], f"from {match['module']} import {' '.join(words)}", bool(match["prompt"])
    for match in _IMPORT.finditer(text):
        name = match["name"] or match["module"]
        yield (
            name.partition(".")[0],
            match[0].strip().removeprefix(match["prompt"] or "").strip(),
            bool(match["prompt"]),
        )


def _choose(name: str, counts: Counter[str], star: str, homes: set[str]) -> str:
    if counts:
        return min(counts, key=lambda one: (-counts[one], len(one), one))
    if len(homes) == 1:
        return f"from {homes.pop()} import {name}"
    return star.replace("*", name) if homes else ""


def _module(path: str) -> str:
    parts = path.removesuffix(".py").removeprefix("src/").split("/")
    return ".".join(parts[:-1] if posixpath.basename(path) == "__init__.py" else parts)
