"""The text of an issue: readable, and without the place of the change."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.issue_text import find_examples, find_leaks, format_issue, write_issue
from extensions.lab.synthesis.source_repository import open_source
from tests.conftest import MakeRepo
from trajectories.git_store.trees import Trees

EXAMPLE = FailingExample("from shop import price\n\nprice(2)", "6", "5", "price", True)


def failure(error: str) -> TestResult:
    return TestResult("test_shop.py::test_price", "failed", error=error)


def test_text_has_symptom_example_and_both_results() -> None:
    assert format_issue(EXAMPLE, failure("AssertionError"), "shop") == (
        "`price` gives a wrong result\n\nTo reproduce with the current version of shop:\n\n"
        "```python\nfrom shop import price\n\nprice(2)\n```\n\n"
        "Expected: `6`\n\nActual: `5`\n"
    )


def test_title_names_an_unexpected_or_a_missing_exception() -> None:
    assert format_issue(EXAMPLE, failure("TypeError"), "shop").startswith("`price` fails with TypeError\n")
    missing = FailingExample("price(-1)", "ValueError is raised", "no exception is raised", "price", False)
    assert format_issue(missing, failure("Failed"), "shop").startswith("`price` does not raise ValueError\n")
    title = "`price` raises TypeError instead of ValueError\n"
    assert format_issue(missing, failure("TypeError"), "shop").startswith(title)


def test_long_values_are_in_blocks() -> None:
    example = FailingExample("price(2)", "no exception", "TypeError: a\nb", "price", True)
    assert format_issue(example, failure("TypeError"), "shop").endswith(
        "Expected: no exception\n\nActual:\n\n```\nTypeError: a\nb\n```\n"
    )


def test_names_of_local_variables_are_left_out() -> None:
    message = "UnboundLocalError: cannot access local variable 'scope_key' where it is not associated with a value"
    example = FailingExample("price(2)", "no exception", message, "price", True)
    assert format_issue(example, failure("UnboundLocalError"), "shop").endswith("Actual: `UnboundLocalError`\n")


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("`price` gives 5", []),
        ("TypeError: _round() takes 1 argument", ["_round"]),
        ("see shop/core.py", ["core.py", "shop/core.py"]),
        ("Cart._round_half is another name", []),
    ],
)
def test_changed_places_are_leaks_unless_the_test_names_them(text: str, leaks: list[str]) -> None:
    test = "from shop import price\n\ndef test_price():\n    assert price(2) == 6\n"
    assert find_leaks(text, ["shop/core.py:price", "shop/core.py:_round"], test) == leaks


def test_test_in_a_file_that_another_one_loads(make_repo: MakeRepo, tmp_path: Path) -> None:
    loaded = "it('adds', () => {\n  const cart = shop();\n  equal(cart.total, 2);\n});\n"
    repository = Repository.open(make_repo({"test/all.js": "require('./units/cart');\n", "test/units/cart.js": loaded}))
    trace = ("test/units/cart.js:3:", "lib/shop.js:1:total")
    failure = TestResult("test/all.js::adds", "failed", "TypeError: no", "test/all.js", error="TypeError", trace=trace)
    with Trees(tmp_path / "trees.git") as trees:
        source = open_source(WorkspaceOptions(repository, repository.base(trees, "HEAD"), trees), None)
        found = write_issue(source, find_examples(source.trees, source.tree, [failure]), ["lib/shop.js:total"])
    assert found
    assert found.code == "const cart = shop();\nequal(cart.total, 2);"
    assert found.test == loaded
