"""Which paths are tests, belong to tests, or configure how tests run."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

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
