"""Proofs of patches to a repository with several Python projects, without a test command."""

import pytest

from tests.aci.conftest import has_note

pytestmark = pytest.mark.slow

TOTAL = "def total(items):\n    return sum(items[1:])\n"
FIXED = TOTAL.replace("items[1:]", "items")
BASE = {
    "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
    "packages/a/pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']\n",
    "packages/a/src/a/__init__.py": TOTAL,
    "packages/a/tests/test_x.py": "from a import total\ndef test_x(): assert total([]) == 0\n",
    "packages/b/pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['../a/src']\n",
    "packages/b/b/__init__.py": "import a\ndef mean(items):\n    return a.total(items) / max(len(items), 1)\n",
    "packages/b/tests/test_x.py": "from b import mean\ndef test_x(): assert mean([]) == 0\n",
}
NEW = "packages/a/tests/test_new.py"
REPRODUCTION = "from a import total\ndef test_all(): assert total([1, 2]) == 3\n"
SOURCE = "packages/a/src/a/__init__.py"
X_OF_B = "packages/b/tests/test_x.py::test_x"


def test_honest_fix_in_one_project_is_plausible(prove_patch):
    verdict = prove_patch({SOURCE: FIXED, NEW: REPRODUCTION}, BASE, command="")
    assert (verdict.kind, verdict.tests, verdict.compared) == ("plausible", (f"{NEW}::test_all",), "2 tests")
    rerun = "(cd packages/a && python3 -m pytest tests/test_new.py::test_all)"
    assert verdict.commands[1] == verdict.commands[4] == rerun
    assert (verdict.generality, has_note(verdict, "exits with")) == ("shown", False)


def test_test_added_to_existing_file_is_found(prove_patch):
    path = "packages/a/tests/test_x.py"
    verdict = prove_patch({SOURCE: FIXED, path: BASE[path] + REPRODUCTION.splitlines()[1] + "\n"}, BASE, command="")
    assert (verdict.kind, verdict.tests) == ("plausible", (f"{path}::test_all",))


def test_given_test_of_other_project_shows_issue(prove_patch):
    new = "packages/b/tests/test_new.py"
    test = "from b import mean\ndef test_mean(): assert mean([1, 2]) == 1.5\n"
    verdict = prove_patch({SOURCE: FIXED, new: test}, BASE, command="", reproduction=[new])
    assert (verdict.kind, verdict.tests) == ("plausible", (f"{new}::test_mean",))


def test_loss_in_other_project_is_found(prove_patch):
    breaking = "import sys\ndef total(items):\n    return sum(items) + ('b' in sys.modules)\n"
    verdict = prove_patch({SOURCE: breaking, NEW: REPRODUCTION}, BASE, command="")
    assert (verdict.kind, verdict.green, verdict.lost) == ("unproven", True, (X_OF_B,))


def test_project_that_cannot_start_leaves_others_provable(prove_patch):
    broken = {"packages/c/pytest.ini": "[pytest]\naddopts = --no-such-option\n", "packages/c/test_x.py": ""}
    verdict = prove_patch({SOURCE: FIXED, NEW: REPRODUCTION}, BASE | broken, command="")
    assert (verdict.kind, verdict.compared) == ("plausible", "2 tests (the suite did not end)")


def test_new_module_in_folder_of_project_does_not_replace_runner(prove_patch):
    verdict = prove_patch({SOURCE: FIXED, NEW: REPRODUCTION, "packages/b/pluggy.py": ""}, BASE, command="")
    assert verdict.kind == "unproven"
    assert has_note(verdict, "packages/b/pluggy.py would be imported")
