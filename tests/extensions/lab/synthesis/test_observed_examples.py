"""Examples with the results that they give with and without a change."""

from __future__ import annotations

import pytest

from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.observed_examples import Outcome, observe, run_examples
from tests.conftest import MakeRepo, OpenWorkspace

FAILURE = TestResult("test_shop.py::test_price", "failed", error="AssertionError")
EXAMPLE = FailingExample("price(2)", "wanted", "5", "price", True)
RAISING = FailingExample("price(-1)", "LookupError is raised", "no exception is raised", "price", True)


def value(text: str) -> Outcome:
    return Outcome(text, "", "")


def error(name: str, message: str = "no") -> Outcome:
    return Outcome(None, name, message)


@pytest.mark.parametrize(
    ("example", "before", "after", "seen"),
    [
        (EXAMPLE, value("6"), value("5"), ("AssertionError", "6", "5")),
        (EXAMPLE, value("6"), error("KeyError", "a\nb\nc"), ("KeyError", "6", "KeyError: a\nc")),
        (EXAMPLE, value("x" * 301), value("5"), ("AssertionError", "wanted", "5")),
        (RAISING, error("KeyError"), value("5"), ("AssertionError", "KeyError is raised", "no exception is raised")),
        (RAISING, error("KeyError"), error("TypeError"), ("TypeError", "KeyError is raised", "TypeError: no")),
        (EXAMPLE, value("6"), value("6"), None),
        (EXAMPLE, error("NameError"), value("5"), None),
        (RAISING, value("6"), error("TypeError"), None),
        (EXAMPLE, error("ImportError"), error("ImportError"), ("AssertionError", "wanted", "5")),
        (EXAMPLE, value("<A at 0x1f>"), value("<A at 0x2f>"), ("AssertionError", "wanted", "5")),
        (EXAMPLE, Outcome(None, "", ""), Outcome(None, "", ""), ("AssertionError", "wanted", "5")),
        (EXAMPLE, None, value("5"), ("AssertionError", "wanted", "5")),
    ],
)
def test_results_of_runs_replace_those_of_the_assertion(
    example: FailingExample, before: Outcome | None, after: Outcome | None, seen: tuple[str, str, str] | None
) -> None:
    found = observe(FAILURE, example, before, after)
    assert (found and (found[0].error, found[1].expected, found[1].actual)) == seen


@pytest.mark.slow
def test_examples_run_apart_with_the_package_of_the_repository(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws(
        "local",
        make_repo({"json.py": "no", "shop.py": "SOLD = []\n\ndef price(n):\n    return n / 0 if n < 0 else 2 * n\n"}),
        "HEAD",
    )
    codes = [
        "from shop import SOLD, price\nSOLD.append(1)\nprint('noise')\nprice(2)",
        "from shop import SOLD\nSOLD",
        "from shop import price\nprice(-1)",
        "import os\nos._exit(3)",
        "size = 1",
        "import os\nos.urandom(4)",
    ]
    assert run_examples(workspace, "python3 -m pytest -q", codes) == [
        value("4"),
        value("[]"),
        error("ZeroDivisionError", "division by zero"),
        None,
        Outcome(None, "", ""),
        None,
    ]
    assert run_examples(workspace, "exit 3; python3 -m pytest", ["1"]) == [None]
    for row in ("0", '""', "[]", '{"value": 1}'):
        assert run_examples(workspace, f"echo '[{row}]'; echo '[{row}]'; true -m pytest", ["1"]) == [None]
