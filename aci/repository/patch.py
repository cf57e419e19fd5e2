"""A run's patch in two parts, source and tests, told apart by path alone."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from trajectories.records import Patch
from trajectories.trees import Trees

_FOLDERS = re.compile(
    r"(?:.*[-_.])?(?:unit)?tests?(?:data)?(?:[-_.].*)?|__(?:tests|mocks|snapshots)__|specs?|e2e|testing"
)
_SURE = re.compile(r"(?:.*[-_.])?(?:unit)?tests|__(?:tests|mocks|snapshots)__|testdata|e2e")
_FILES = re.compile(
    r"test_.*|.*_tests?\.\w+|tests\.py|conftest\.py"  # Python, Go, C
    r"|.*[.-](?:test|spec)\.\w+|.*\.snap"  # JavaScript, TypeScript
    r"|.*_spec\.rb|.*[a-z0-9](?:(?:Test|Tests|TestCase)\.\w+|Spec\.(?:scala|groovy|kt))"  # Ruby, Java, C#, PHP, …
)
_CONFIG = re.compile(
    r"conftest\.py|\.?pytest\.(?:ini|toml)|tox\.ini|tox\.toml|noxfile\.py|\.coveragerc"
    r"|(?:jest|vitest|playwright|cypress|karma|ava)\.conf(?:ig)?\.\w+|\.mocharc(?:\.\w+)?|phpunit\.xml(?:\.dist)?|\.rspec"
)
_BEGINNING = re.compile(r"(?m)^(?=diff --git )")
_MIXED = {"setup.cfg", "pyproject.toml"}


def is_test(path: str) -> bool:
    """Whether a path is a test or belongs to one (fixtures, snapshots, test data).

    A `test` or `testing` folder inside a Python package may be what the package offers others for their tests
    (django/test, sympy/testing): its modules count as source, unless their own names say test.
    """
    *folders, name = PurePosixPath(path).parts
    if _FILES.fullmatch(name) or any(_SURE.fullmatch(folder) for folder in folders):
        return True
    if "main" in folders:  # src/main/… of Java's layout, whose tests lie in src/test/…
        return False
    if not any(_FOLDERS.fullmatch(folder) for folder in folders):
        return False
    return not name.endswith(".py") or "fixtures" in folders or bool(_FOLDERS.fullmatch(folders[0]))


def is_test_config(path: str) -> bool:
    """Whether a file says how tests run: conftest.py, pytest.ini, tox.ini, …; also setup.cfg and pyproject.toml.

    The last two say other things too, so they belong to a patch's source; a proof still runs with the base's own.
    """
    name = PurePosixPath(path).name
    return name in _MIXED or bool(_CONFIG.fullmatch(name))


def in_tests(path: str) -> bool:
    """Whether a path goes into a patch's part of tests: what only says how they run does too."""
    return is_test(path) or (is_test_config(path) and PurePosixPath(path).name not in _MIXED)


def split(trees: Trees, base_tree: str, tree: str) -> Patch:
    """The patch from one tree to another: tests and what only configures them in one part, all else in the other."""
    owners = [change.path for change in trees.changed(base_tree, tree) for _ in range(1 + (change.status == "T"))]
    parts = {True: "", False: ""}
    for path, section in zip(owners, sections(trees.diff(base_tree, tree)), strict=True):
        parts[in_tests(path)] += section
    return Patch(source=parts[False], tests=parts[True], tree=tree)


def split_text(diff: str) -> Patch:
    """As `split`, of a diff that another program made: by the names that its own lines give."""
    parts = {True: "", False: ""}
    for section in filter(None, _BEGINNING.split(diff)):
        names = re.findall(r"(?m)^(?:\+\+\+ b|--- a)/(.+)$", section.partition("\n@@ ")[0])
        parts[bool(names) and in_tests(names[-1].rstrip("\t\r"))] += section
    return Patch(source=parts[False], tests=parts[True])


def lines_of(diff: str) -> list[tuple[str, int, int]]:
    """Of each file of a diff its header, and the lines added and removed (none of a binary file)."""
    found = []
    for section in sections(diff):
        header, _, hunks = section.partition("\n@@ ")
        lines = hunks.split("\n")[1:]
        added, removed = (sum(line.startswith(mark) for line in lines) for mark in "+-")
        found.append((header, added, removed))
    return found


def sections(diff: str) -> list[str]:
    """A diff's files, one each (a file that becomes a link has two). No line of content starts like a header."""
    return _BEGINNING.split(diff)[1:]
