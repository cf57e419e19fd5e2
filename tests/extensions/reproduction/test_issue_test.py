from __future__ import annotations

import pytest

from extensions.reproduction import issue_test
from extensions.reproduction.issue_failures import Failure
from extensions.reproduction.issue_test import choose_place, expand_stars, merge_imports, name_of_test, render_test
from tests.text_blobs import TextBlobs

RUNS = Failure(0, "runs", "", "", "")


def test_name_comes_from_title() -> None:
    assert name_of_test("[bug] `f()` fails: é!") == "test_bug_f_fails"
    assert name_of_test("…") == "test_issue"
    assert len(name_of_test("word " * 50)) < 70


def test_imports_are_merged_and_future_is_first() -> None:
    steps = ["from a import c, unused", "from a import b", "from __future__ import annotations", "import z", "b(c)"]
    text = render_test("t", steps, RUNS, "unittest")
    assert text.startswith("from __future__ import annotations\nimport unittest\nimport z\nfrom a import b, c\n")
    assert merge_imports(["from .a import b as d", "import e.f"], {"d"}) == ["import e.f", "from .a import b as d"]


def test_names_that_a_runner_collects_are_imported_inside() -> None:
    text = render_test("t", ["from a import test_b", "test_b(1)"], RUNS, "pytest")
    assert text == "def test_t():\n    from a import test_b\n    test_b(1)\n"


def test_lines_inside_strings_are_kept() -> None:
    text = render_test("t", ["f('''a\n  b\n''')"], RUNS, "pytest")
    space: dict[str, object] = {}
    seen: list[str] = []
    exec(text, space | {"f": seen.append}, space)
    assert "a\\n  b\\n" in text


def test_star_import_becomes_names_that_are_used() -> None:
    assert expand_stars(["from a import *", "from b import *", "c(d)"], {0: frozenset("cxy"), 1: frozenset("z")}) == [
        "from a import c",
        "pass",
        "c(d)",
    ]


def test_place_depends_on_source_only_if_it_exists() -> None:
    blobs = TextBlobs({"shop/cart.py": "", "tests/test_shop.py": "def test_it():\n    pass\n"})
    assert choose_place(blobs, "shop/cart.py") == ("tests/test_cart_issue.py", "pytest")
    assert choose_place(blobs, "shop/\x1b.py") == ("tests/test_issue.py", "pytest")


def test_written_tests_follow_future_imports() -> None:
    test = "def test_it(tmp_path):\n    pytest.skip()"
    text = issue_test.tests_as_written(["from __future__ import annotations", test])
    assert text == f"from __future__ import annotations\n\n\nimport pytest\n\n\n{test}\n"


@pytest.mark.parametrize("step", ["f()", "x += 1", "x: int = 1", "async def f(): pass", "if x:\n    pass"])
def test_written_tests_are_not_taken_without_statements_that_they_may_need(step: str) -> None:
    assert issue_test.tests_as_written([step, "def test_it(tmp_path):\n    pass"]) == ""
