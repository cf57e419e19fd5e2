"""A run's patch, split by path into source and tests."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from trajectories.git_store.trees import Trees
from trajectories.records import Patch
from trajectories.unified_diff import count_changed_lines, split_header

_FOLDERS = re.compile(
    r"(?:.*[-_.])?(?:unit)?tests?(?:data)?(?:[-_.].*)?|__(?:tests|mocks|snapshots)__|specs?|e2e|testing"
)
_SURE = re.compile(r"(?:.*[-_.])?(?:unit)?tests|__(?:tests|mocks|snapshots)__|testdata|e2e")
_FILES = re.compile(
    r"test_.*|.*_tests?\.\w+|tests\.py|conftest\.py|tests?\.rs"  # Python, Go, C, Rust
    r"|.*[.-](?:test|spec)\.\w+|test(?:-.*)?\.[cm]?[jt]sx?|.*\.snap"  # JavaScript, TypeScript
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

    A `test` or `testing` folder inside a Python package may offer test helpers to the package's users, as in
    django/test and sympy/testing, so its modules count as source unless their own names mark them as tests.
    """
    *folders, name = PurePosixPath(path).parts
    if _FILES.fullmatch(name) or any(_SURE.fullmatch(folder) for folder in folders):
        return True
    if "main" in folders:  # Java's layout: source in src/main/…, tests in src/test/…
        return False
    if not any(_FOLDERS.fullmatch(folder) for folder in folders):
        return False
    return not name.endswith(".py") or "fixtures" in folders or bool(_FOLDERS.fullmatch(folders[0]))


def is_test_config(path: str) -> bool:
    """Whether a file configures how tests run: conftest.py, pytest.ini, tox.ini, …; also setup.cfg and pyproject.toml.

    The last two also configure other things, so they belong to the source part of a patch, but a proof uses the base's
    versions of them.
    """
    name = PurePosixPath(path).name
    is_cargo = path.endswith((".cargo/config.toml", ".cargo/config"))
    return name in _MIXED or is_cargo or bool(_CONFIG.fullmatch(name))


def belongs_to_tests(path: str) -> bool:
    """Whether a path belongs to the tests part of a patch, as tests and files that only configure tests do."""
    return is_test(path) or (is_test_config(path) and PurePosixPath(path).name not in _MIXED)


def split_patch(trees: Trees, base_tree: str, tree: str) -> Patch:
    """Return the patch between two trees in two parts: tests with their configuration, and all other files."""
    owners = [change.path for change in trees.changed(base_tree, tree) for _ in range(1 + (change.status == "T"))]
    parts = {True: "", False: ""}
    for path, section in zip(owners, diff_sections(trees.diff(base_tree, tree)), strict=True):
        parts[belongs_to_tests(path)] += section
    return Patch(source=parts[False], tests=parts[True], tree=tree)


def split_text(diff: str) -> Patch:
    """Split a diff from another program as `split_patch` does, by the paths in its headers."""
    parts = {True: "", False: ""}
    for section in filter(None, _BEGINNING.split(diff)):
        names = re.findall(r"(?m)^(?:\+\+\+ b|--- a)/(.+)$", split_header(section)[0])
        parts[bool(names) and belongs_to_tests(names[-1].rstrip("\t\r"))] += section
    return Patch(source=parts[False], tests=parts[True])


def count_diff_lines(diff: str) -> list[tuple[str, int, int]]:
    """Return the header of each file of a diff and the numbers of lines added and removed (0 for a binary file)."""
    return [(split_header(section)[0], *count_changed_lines(section)) for section in diff_sections(diff)]


def diff_sections(diff: str) -> list[str]:
    """Return the sections of a diff, one for each file (two for a file that becomes a link).

    No content line can be mistaken for a header.
    """
    return _BEGINNING.split(diff)[1:]
