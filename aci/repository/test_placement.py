"""Where a new test file belongs."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping

from aci.repository.test_files import is_test

TEST_FOLDERS = {"test", "tests", "testing"}


def choose_test_path(files: Mapping[str, object], path: str, function: str) -> str:
    """Return a path for the test file, with a file name that is not in use.

    A folder beside the source comes first, then one with a file `test_<module>.py`, then the one with the fewest other
    folders in its path, then one in `TEST_FOLDERS`, then the one with the most test files.
    """
    tests = [
        one for one in files if is_test(one) and one.endswith(".py") and posixpath.basename(one).startswith("test")
    ]
    folders = Counter(posixpath.dirname(one) for one in tests)
    parts = path.removesuffix(".py").split("/")
    module = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    source = [name for name in parts[:-1] if name not in TEST_FOLDERS]
    near = {posixpath.dirname(one) for one in tests if posixpath.basename(one) == f"test_{module}.py"}

    def order(folder: str) -> tuple[int, bool, int, bool, int, str]:
        names = folder.split("/")
        own = [name for name in names if name and name not in TEST_FOLDERS]
        beside = len(own) if own == source[: len(own)] else 0
        others = len(set(own) - set(source))
        return -beside, folder not in near, others, not TEST_FOLDERS & set(names), -folders[folder], folder

    folder = min(folders, key=order, default="tests")
    words = "_".join(filter(None, (module.strip("_"), re.sub(r"\W+", "_", function).strip("_").lower())))
    taken = {posixpath.basename(one) for one in files}
    names = [f"test_{words}_generated.py", *(f"test_{words}_generated_{number}.py" for number in range(2, 100))]
    name = next(one for one in (f"test_{words}.py", *names) if one not in taken)
    return posixpath.join(folder, name)
