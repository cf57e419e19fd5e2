"""Tests that a patch adds to an existing test file."""

from __future__ import annotations

import pytest

from aci.repository.added_tests import added_tests, affected_tests, copy_path

BEFORE = """import os
from a import b

X = 1

def test_a():
    assert b(X)

class TestC:
    def test_d(self): pass
"""


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (BEFORE, ()),
        (BEFORE + "def test_new(): pass\n", ("test_new",)),
        (BEFORE + "    def test_e(self): pass\n", ("TestC::test_e",)),
        (BEFORE + "class TestF:\n    def test_g(self): pass\n    def helper(self): pass\n", ("TestF::test_g",)),
        (BEFORE.replace("import b", "import b, c") + "def helper(): pass\ndef test_new(): pass\n", ("test_new",)),
        (BEFORE.replace("import b", "import c") + "def test_new(): pass\n", ()),
        (BEFORE.replace("import b", "import c as b") + "def test_new(): pass\n", ()),
        (BEFORE.replace("X = 1", "X = 2") + "def test_new(): pass\n", ()),
        (BEFORE + "X = 2\ndef test_new(): pass\n", ()),
        (BEFORE.replace("b(X)", "b(2)") + "def test_new(): pass\n", ()),
        (BEFORE + "def test_a(): pass\ndef test_new(): pass\n", ()),
        (BEFORE + "def setup_module(): pass\ndef test_new(): pass\n", ()),
        (BEFORE + "    def setUp(self): pass\n    def test_e(self): pass\n", ()),
        (BEFORE.replace("class TestC", "@skip\nclass TestC") + "def test_new(): pass\n", ()),
        (BEFORE + "@fixture(autouse=True)\ndef f(): pass\ndef test_new(): pass\n", ()),
        (BEFORE + "def test_new(:\n", ()),
    ],
)
def test_only_added_tests_count(after: str, names: tuple[str, ...]) -> None:
    assert added_tests(BEFORE, after) == names


ROWS = """import pytest

@pytest.mark.parametrize(("a", "b"), [(1, 2), (3, 4)])
def test_rows(a, b):
    assert b == a + 1
"""


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (ROWS.replace("(3, 4)", "(3, 4), (5, 6)"), ("test_rows",)),
        (ROWS.replace("[(1", "[(0, 1), (1"), ("test_rows",)),
        (ROWS.replace("(3, 4)", "(3, 5)"), ()),
        (ROWS.replace("(3, 4)", "(5, 6)"), ()),
        (ROWS.replace("(3, 4)", "(3, 4), (5, 6)").replace("a + 1", "a + 2"), ()),
        (ROWS.replace("[(1, 2), (3, 4)]", "CASES"), ()),
    ],
)
def test_new_rows_of_a_parametrized_test_are_additions(after: str, names: tuple[str, ...]) -> None:
    assert added_tests(ROWS, after) == names


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (BEFORE, ()),
        (BEFORE.replace("b(X)", "b(2)"), ("test_a",)),
        (BEFORE.replace("import b", "import b, c").replace("pass", "c()"), ("TestC::test_d",)),
        (BEFORE.replace("X = 1", "X = 2"), ("test_a", "TestC::test_d")),
        (BEFORE.replace("class TestC:", "class TestC(Base):"), ("test_a", "TestC::test_d")),
        (BEFORE + "def setup_module(): pass\n", ("test_a", "TestC::test_d")),
        (BEFORE.replace("def test_a", "def test_b"), ("test_b",)),
        (BEFORE + "(", ()),
    ],
)
def test_changed_tests_and_all_that_other_changes_may_affect(after: str, names: tuple[str, ...]) -> None:
    assert affected_tests(BEFORE, after) == names


def test_copy_is_still_a_test() -> None:
    assert copy_path("tests/test_a.py") == "tests/test_a_added_by_patch.py"
