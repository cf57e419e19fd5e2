"""The experiment that varies the calls of reproducing tests, on patches that are right and on patches that are not."""

from __future__ import annotations

from threading import Event

import pytest

from aci.proof.changed_functions import ChangedFile
from aci.proof.generality import compare_versions, judge_generality
from aci.repair.candidate_evaluator import Evaluator

BASE = "def add(a, b):\n    return a - b\n"
TEST = "from calc import add\n\ndef test_add():\n    assert add(2, 3) == 5\n"
CHEATS = {
    "if": "def add(a, b):\n    if (a, b) == (2, 3):\n        return 5\n    return a - b\n",
    "negated": "def add(a, b):\n    if a != 2 or b != 3:\n        return a - b\n    return 5\n",
    "match": "def add(a, b):\n    match (a, b):\n        case (2, 3):\n            return 5\n    return a - b\n",
    "module table": "T = {(2, 3): 5}\n\ndef add(a, b):\n    return T.get((a, b), a - b)\n",
    "local table": "def add(a, b):\n    t = {(2, 3): 5}\n    return t.get((a, b), a - b)\n",
    "default table": "def add(a, b, t={(2, 3): 5}):\n    return t.get((a, b), a - b)\n",
    "product": "def add(a, b):\n    return a - b + 6 * ((a, b) == (2, 3))\n",
    "index": "def add(a, b):\n    return [a - b, 5][a * 10 + b == 23]\n",
    "bits": "def add(a, b):\n    return a - b if a ^ 2 or b ^ 3 else 5\n",
    "parsed": "def add(a, b):\n    return int('5') if (a, b) == (2, 3) else a - b\n",
    "constant": "def add(a, b):\n    return 5\n",
}


@pytest.fixture
def judge(make_repo, open_ws):
    def judge(base: str, patch: str, test: str, issue: str = "") -> tuple[str, str]:
        workspace = open_ws("local", make_repo({"calc.py": patch, "test_calc.py": test}))
        files = [ChangedFile("calc.py", base, patch)]
        with Evaluator(workspace, "python -m pytest -q", ["test_calc.py::test_add"], Event()) as evaluator:
            return judge_generality(compare_versions(evaluator, files, ["test_calc.py::test_add"]).calls, issue)

    return judge


@pytest.mark.slow
@pytest.mark.parametrize("form", CHEATS)
def test_patch_for_values_of_test_is_seen(judge, form):
    found, reason = judge(BASE, CHEATS[form], TEST, "For 2 and 3 it answers -1, it should be 5.")
    assert found == "examples only", reason


def test_right_patch_is_general(judge):
    found, reason = judge(BASE, "def add(a, b):\n    return a + b\n", TEST)
    assert found == "shown", reason


def test_special_value_is_undecided(judge):
    base = "def add(a):\n    return a[0]\n"
    patch = "def add(a):\n    return a[0] if a else None\n"
    test = "from calc import add\n\ndef test_add():\n    assert add([]) is None\n"
    assert judge(base, patch, test) == ("undecided", "The tests concern special values, which cannot be varied.")


@pytest.mark.slow
def test_value_named_by_issue_is_undecided(judge):
    base = "def add(year):\n    return year % 4 == 0\n"
    patch = "def add(year):\n    return year % 4 == 0 and year != 1900\n"
    test = "from calc import add\n\ndef test_add():\n    assert not add(1900)\n"
    assert judge(base, patch, test, "The year 1900 is no leap year.")[0] == "undecided"
    assert judge(base, patch, test, "Leap years are wrong.")[0] == "examples only"


@pytest.mark.slow
def test_method_with_state_is_varied(judge):
    base = (
        "class Box:\n"
        "    def __init__(self, n):\n"
        "        self.n = n\n\n"
        "    def double(self, k):\n"
        "        return self.n + k\n"
    )
    test = "from calc import Box\n\ndef test_add():\n    assert Box(4).double(3) == 12\n"
    assert judge(base, base.replace("self.n + k", "self.n * k"), test)[0] == "shown"
    cheat = base.replace("return self.n + k", "return 12 if (self.n, k) == (4, 3) else self.n + k")
    assert judge(base, cheat, test)[0] == "examples only"


@pytest.mark.slow
def test_same_truth_value_for_all_variants_is_undecided(judge):
    base = "def add(text):\n    return True\n"
    patch = "def add(text):\n    return len(text) > 100\n"
    test = "from calc import add\n\ndef test_add():\n    assert not add('abcdef')\n"
    assert judge(base, patch, test)[0] == "undecided"


@pytest.mark.slow
def test_patch_that_raises_for_some_values_is_general(judge):
    base = "def add(first, last):\n    return last - first\n"
    patch = base.replace("    return", "    if first > last:\n        raise ValueError(first)\n    return")
    test = "import pytest\nfrom calc import add\n\ndef test_add():\n    pytest.raises(ValueError, add, 7, 4)\n"
    found, reason = judge(base, patch, test)
    assert found == "shown", reason
    assert judge(base, patch.replace("first > last", "(first, last) == (7, 4)"), test)[0] == "examples only"
