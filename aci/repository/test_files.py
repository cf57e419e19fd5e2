"""Which paths are tests, belong to tests, or configure how tests run, and where a new test file belongs."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping
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


SHARED_TEST_FOLDERS = {"test", "tests", "testing"}


def choose_test_path(files: Mapping[str, object], path: str, function: str) -> str:
    """Return a path for the test file, with a file name that is not in use.

    A folder beside the source comes first, then one with a file `test_<module>.py`, then the one with the fewest other
    folders in its path, then one in `SHARED_TEST_FOLDERS`, then the one with the most test files.
    """
    tests = [
        file for file in files if is_test(file) and file.endswith(".py") and posixpath.basename(file).startswith("test")
    ]
    folders = Counter(posixpath.dirname(test) for test in tests)
    parts = path.removesuffix(".py").split("/")
    module = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    source = [name for name in parts[:-1] if name not in SHARED_TEST_FOLDERS]
    near = {posixpath.dirname(test) for test in tests if posixpath.basename(test) == f"test_{module}.py"}

    def order(folder: str) -> tuple[int, bool, int, bool, int, str]:
        names = folder.split("/")
        own = [name for name in names if name and name not in SHARED_TEST_FOLDERS]
        beside = len(own) if own == source[: len(own)] else 0
        others = len(set(own) - set(source))
        return -beside, folder not in near, others, not SHARED_TEST_FOLDERS & set(names), -folders[folder], folder

    folder = min(folders, key=order, default="tests")
    words = "_".join(filter(None, (module.strip("_"), re.sub(r"\W+", "_", function).strip("_").lower())))
    taken = {posixpath.basename(file) for file in files}
    names = [f"test_{words}_generated.py", *(f"test_{words}_generated_{number}.py" for number in range(2, 100))]
    name = next(name for name in (f"test_{words}.py", *names) if name not in taken)
    return posixpath.join(folder, name)
