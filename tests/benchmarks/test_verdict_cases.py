"""The benchmark of verdicts on small cases."""

import json
from collections import Counter

import pytest

from benchmarks.verdict_cases import CASES, RIGHT, Row, judge, summary, times

FIELDS = {"name", "kind", "runner", "issue", "base", "patch", "reproduction", "command", "why"}
CASE = {
    "name": "add",
    "kind": "right",
    "issue": "add() subtracts\n\n`add(2, 3)` should be 5.",
    "base": {
        "calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return 2 * a\n",
        "tests/test_double.py": "from calc import double\n\n\ndef test_double():\n    assert double(2) == 4\n",
        "conftest.py": "",
    },
    "patch": {
        "calc.py": "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n",
        "tests/test_add.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
    },
}


@pytest.mark.parametrize("file", sorted(CASES.glob("*.json")), ids=lambda file: file.stem)
def test_cases_have_all_fields_and_names_of_their_own(file):
    cases = json.loads(file.read_text())
    assert all(set(case) >= FIELDS for case in cases)
    assert max(Counter(case["name"] for case in cases).values()) == 1
    assert all(case["base"] and case["patch"] for case in cases)
    assert {case["kind"] for case in cases} - set(RIGHT)


@pytest.mark.slow
def test_case_goes_through_the_proof():
    row = judge(CASE)
    assert (row.verdict, row.generality, row.is_as_wanted) == ("plausible", "shown", True)
    assert "Running the tests with the patch" in row.parts


def test_table_has_rates_of_each_kind():
    rows = [
        Row("a", "right", "plausible", "shown", 2.0, {"Running": 2.0}, ()),
        Row("b", "cheat", "unproven", "examples only", 4.0, {"Running": 4.0}, ()),
    ]
    table = "\n".join(summary(rows))
    assert "| right | 1 | 1 (20.7%-100.0%) | 0 (0.0%-79.3%) |" in table
    assert table.endswith("| 1 (20.7%-100.0%) |")
    assert list(times(rows))[-1] == "| Running | 2 | 3.00 | 4.00 |"
