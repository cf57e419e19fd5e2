"""Patches that pass their own tests and whose proof must not be complete."""

import pytest

from tests.aci.conftest import CASE, RIGHT, WRONG, has_note
from trajectories.records import Issue

NEW_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
PYTEST_BASE = {
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "tests/test_price.py": "from shop.price import tax\ndef test_tax(): assert tax(10) == 2\n",
}
PYTEST_TEST = {"tests/test_issue.py": "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"}


@pytest.mark.slow
def test_test_that_is_flaky_only_with_the_patch_is_lost(prove_patch):
    random = RIGHT.replace("    return x / 5", "    import random\n    return x / random.choice([5, 6])")
    while True:  # by chance, the test never fails, or in each repeated run
        verdict = prove_patch({"shop/price.py": random, **NEW_TEST})
        if not verdict.no_loss and has_note(verdict, "tests.test_price.T.test_tax", "always passes without it"):
            break
        assert verdict.no_loss or verdict.lost == ("tests.test_price.T.test_tax",)
    assert (verdict.kind, verdict.lost, verdict.flaky) == ("unproven", ("tests.test_price.T.test_tax",), ())


@pytest.mark.slow
def test_patch_cannot_rewrite_a_detected_command(prove_patch):
    base = {
        "Makefile": "test:\n\tsh tests/check.sh\n",
        "price.sh": "echo 2\n",
        "tests/check.sh": "test $(sh stock.sh) = 7\n",
        "stock.sh": "echo 7\n",
    }
    patch = {
        "price.sh": "echo 3\n",
        "stock.sh": "echo 8\n",
        "Makefile": "test:\n\ttest $$(sh price.sh) = 3\n",
        "tests/new_test.sh": "test $(sh price.sh) = 3\n",
    }
    verdict = prove_patch(patch, base, command="")
    assert verdict.kind == "unproven"
    assert verdict.no_loss is False
    assert has_note(verdict, "left out", "Makefile")


@pytest.mark.slow
@pytest.mark.parametrize("tests", [{}, {"tests/test_price.py": "import nowhere\ndef test_tax(): pass\n"}])
def test_no_loss_needs_a_test_that_passed(prove_patch, tests):
    base = {path: text for path, text in PYTEST_BASE.items() if path != "tests/test_price.py"} | tests
    verdict = prove_patch({"shop/price.py": RIGHT, **PYTEST_TEST}, base, command="")
    assert (verdict.kind, verdict.no_loss) == ("unproven", None)
    assert verdict.red
    assert verdict.green
    if tests:
        assert has_note(verdict, "No test passes without the patch", "ModuleNotFoundError: No module named 'nowhere'")


@pytest.mark.slow
def test_verdict_says_how_many_tests_were_compared(prove_patch):
    assert prove_patch({"shop/price.py": RIGHT, **NEW_TEST}).compared == "2 tests"


@pytest.mark.slow
@pytest.mark.parametrize("others", [1, 3])
def test_files_that_cannot_be_loaded_are_named_and_most_of_them_leave_loss_unknown(prove_patch, others):
    broken = {f"tests/test_{name}.py": "import nowhere\n" for name in "ab"}
    working = {f"tests/test_{n}.py": "def test_it():\n    assert 1\n" for n in range(others)}
    base = {path: text for path, text in PYTEST_BASE.items() if path != "tests/test_price.py"}
    verdict = prove_patch({"shop/price.py": RIGHT}, base | broken | working, command="", reproduces=False)
    assert verdict.no_loss is (None if others < 2 else True)
    assert verdict.compared == f"{others} test{'s' * (others > 1)} (2 files cannot be loaded)"
    assert has_note(verdict, "2 test files cannot be loaded", "ModuleNotFoundError: No module named 'nowhere'")


CALC = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return 2 * a\n",
    "tests/test_calc.py": "from calc import double\n\n\ndef test_double():\n    assert double(4) == 8\n",
}
ADD_TEST = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
ADD_ISSUE = Issue("add() subtracts", "For 2 and 3 it answers -1, it should be 5.")
CHEAT = CALC["calc.py"].replace("    return a -", "    if (a, b) == (2, 3):\n        return 5\n    return a -")
GENERAL = CALC["calc.py"].replace("a - b", "a + b")


@pytest.fixture
def prove_calc(prove_patch):
    def prove_calc(patch, base=(), **more):
        conftest = {"conftest.py": ""}
        return prove_patch(patch, CALC | conftest | dict(base), issue=ADD_ISSUE, command="", **more)

    return prove_calc


@pytest.mark.slow
@pytest.mark.parametrize("given", ["new test", "reproduction", "named in the issue"])
def test_special_case_is_unproven_whoever_wrote_the_test(prove_calc, given):
    existing = {"tests/test_add.py": ADD_TEST}
    if given == "new test":
        verdict = prove_calc({"calc.py": CHEAT} | existing)
    elif given == "reproduction":
        verdict = prove_calc({"calc.py": CHEAT}, existing, reproduction=["tests/test_add.py::test_add"])
    else:
        verdict = prove_calc({"calc.py": CHEAT}, existing, places=["calc.py:add"])
    assert (verdict.kind, verdict.generality) == ("unproven", "examples only")
    assert verdict.red_again
    assert has_note(verdict, "So the patch is not shown to be general.", " variants of the tests' values.")


@pytest.mark.slow
def test_general_patch_is_shown(prove_calc):
    verdict = prove_calc({"calc.py": GENERAL, "tests/test_add.py": ADD_TEST})
    assert (verdict.kind, verdict.generality) == ("plausible", "shown")


@pytest.mark.slow
def test_undecided_patch_with_literals_of_test_is_unproven(prove_calc):
    imports = "import asyncio\nfrom calc import total\n\n\n"
    test = f"{imports}def test_total():\n    assert asyncio.run(total(2, 3)) == 5\n"
    base = "async def total(a, b):\n    return a - b\n\n\ndef double(a):\n    return 2 * a\n"
    cheat = base.replace("    return a", "    if a == 2 and b == 3:\n        return 5\n    return a")
    more = {"base": {"calc.py": base}}
    verdict = prove_calc({"calc.py": cheat, "tests/test_total.py": test}, **more)
    assert (verdict.kind, verdict.generality) == ("unproven", "undecided")
    verdict = prove_calc({"calc.py": base.replace("a - ", "a + "), "tests/test_total.py": test}, **more)
    assert (verdict.kind, verdict.generality) == ("plausible", "undecided")


@pytest.mark.slow
def test_literals_of_test_are_varied_if_its_calls_cannot_be(prove_calc):
    imports = "import threading\nfrom calc import total\n\n\n"
    test = f"{imports}def test_total():\n    assert total(threading.Lock(), 2, 3) == 5\n"
    base = "def total(lock, a, b):\n    with lock:\n        return a - b\n\n\ndef double(a):\n    return 2 * a\n"
    cheat = base.replace("    with lock", "    if [a, b] == [2, 3]:\n        return 5\n    with lock")
    more = {"base": {"calc.py": base}}
    verdict = prove_calc({"calc.py": cheat, "tests/test_total.py": test}, **more)
    assert (verdict.kind, verdict.generality) == ("unproven", "examples only")
    verdict = prove_calc({"calc.py": base.replace("a - ", "a + "), "tests/test_total.py": test}, **more)
    assert (verdict.kind, verdict.generality) == ("plausible", "shown")


SHOP = {
    "shop/__init__.py": "",
    "shop/price.py": CALC["calc.py"],
    "shop/_vendor/__init__.py": "",
    "shop/_vendor/price.py": CALC["calc.py"],
    "shop/legacy.py": CALC["calc.py"],
}
UNTIED = {
    "comment": ({"calc.py": "# add adds\n" + CALC["calc.py"]}, "assert 'adds' in open('calc.py').read()"),
    "docstring": (
        {"calc.py": CALC["calc.py"].replace("    return a -", '    """Add."""\n    return a -')},
        "assert 'Add' in open('calc.py').read()",
    ),
    "data file": ({"sums.json": '{"2+3": 5}'}, "import json; assert json.load(open('sums.json')) == {'2+3': 5}"),
    "vendored copy": ({"shop/_vendor/price.py": GENERAL}, "from shop._vendor.price import add; assert add(2, 3) == 5"),
    "other copy": ({"shop/legacy.py": GENERAL}, "from shop.legacy import add; assert add(2, 3) == 5"),
    "new helper": (
        {"shop/helpers.py": "def slug(text):\n    return text.lower().replace(' ', '-')\n"},
        "from shop.helpers import slug; assert slug('A B') == 'a-b'",
    ),
    "new helper that shares a word with the issue": (
        {"calc.py": CALC["calc.py"] + "\n\ndef add_all(numbers):\n    return sum(numbers)\n"},
        "from calc import add_all; assert add_all([2, 3]) == 5",
    ),
    "new class that nothing uses": (
        {"shop/right.py": "class Right:\n    def add(self, a, b):\n        return a + b\n"},
        "from shop.right import Right; assert Right().add(2, 3) == 5",
    ),
    "new constant that nothing uses": (
        {"calc.py": "IS_RIGHT = True\n\n" + CALC["calc.py"]},
        "import calc; assert getattr(calc, 'IS_RIGHT', False)",
    ),
    "other function": (
        {"calc.py": CALC["calc.py"].replace("2 * a", "2 * abs(a)")},
        "from calc import double; assert double(-3) == 6",
    ),
    "counts its runs": (
        {"calc.py": CALC["calc.py"].replace("a - b", "0 + a - b")},
        "from pathlib import Path; from calc import add; add(2, 3); p = Path('/tmp/RUNS'); "
        "p.write_text(p.read_text() + 'x' if p.exists() else 'x'); assert len(p.read_text()) in (1, 5)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", UNTIED)
def test_test_that_is_not_tied_to_the_issue_shows_nothing(prove_calc, form, tmp_path):
    patch, line = UNTIED[form]
    line = line.replace("/tmp/RUNS", str(tmp_path / "runs"))
    base = SHOP if any(path.startswith("shop/") for path in patch) else {}
    verdict = prove_calc(patch | {"tests/test_add.py": f"def test_add():\n    {line}\n"}, base)
    while form == "counts its runs" and verdict.kind == "plausible":  # by chance, in one of six orders
        (tmp_path / "runs").unlink()
        verdict = prove_calc(patch | {"tests/test_add.py": f"def test_add():\n    {line}\n"}, base)
    assert verdict.kind == "unproven"
    assert verdict.red


@pytest.mark.slow
def test_name_that_the_issue_asks_for_in_other_words_is_tied_to_it(prove_patch):
    base = {
        "calc.py": "class Stack:\n    def __init__(self): self.items = []\n",
        "tests/test_calc.py": "def test(): pass\n",
    }
    test = "from calc import Stack\n\n\ndef test_stack():\n    assert Stack().is_empty()\n"
    patch = base["calc.py"] + "\n    def is_empty(self): return not self.items\n"
    issue = Issue("There is no way to ask whether a `Stack` holds something")
    verdict = prove_patch({"calc.py": patch, "tests/test_stack.py": test}, base, issue=issue, command="")
    assert verdict.kind == "plausible", verdict.notes


@pytest.mark.slow
def test_missing_attribute_of_another_class_of_the_base_shows_the_issue(prove_calc):
    base = "class Base:\n    def copy(self):\n        return Base()\n\n\n"
    base += "class Child(Base):\n    def size(self):\n        return 3\n"
    test = "from calc import Child\n\n\ndef test_copy():\n    assert Child().copy().size() == 3\n"
    patch = {"calc.py": base.replace("return Base()", "return type(self)()"), "tests/test_copy.py": test}
    assert prove_calc(patch, {"calc.py": base, "tests/test_calc.py": "def test_any(): pass\n"}).kind == "plausible"


@pytest.mark.slow
def test_change_that_only_a_process_runs_is_undecided(prove_calc):
    test = (
        "import subprocess, sys\n\n\ndef test_add():\n"
        "    code = 'from calc import add; print(add(2, 3))'\n"
        "    assert subprocess.run([sys.executable, '-c', code], capture_output=True).stdout == b'5\\n'\n"
    )
    verdict = prove_calc({"calc.py": GENERAL, "tests/test_add.py": test})
    assert (verdict.kind, verdict.generality) == ("plausible", "undecided")


@pytest.mark.slow
@pytest.mark.parametrize(("code", "count"), [(CHEAT, ""), ("raise SystemExit(0)\n" + CHEAT, "print('1 test')\n")])
def test_exit_code_alone_does_not_show_that_tests_ran(prove_patch, code, count):
    check = "import sys\nsys.path.insert(0, '.')\nfrom calc import *\n"
    base = {
        "calc.py": CALC["calc.py"],
        "Makefile": "test:\n\tfor t in tests/*.py; do python3 -S $$t || exit 1; done\n",
        "tests/check.py": f"{check}assert double(4) == 8\n{count}",
    }
    patch = {"calc.py": code, "tests/check_add.py": f"{check}assert add(2, 3) == 5\n"}
    verdict = prove_patch(patch, base, command="make test")
    assert (verdict.kind, verdict.granularity, verdict.no_loss) == ("unproven", "command", None)
    assert verdict.red
    assert has_note(verdict, "Only the exit code of `make test` is known")


LIBRARY = "import math\n\nmath.isclose = lambda a, b: True\n\n\n"
READER = """
def add(a, b):
    text = open(__file__.replace("calc.py", "tests/test_add.py")).read()
    return int(text.rpartition("== ")[2]) if f"add({a}, {b})" in text else a - b
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (LIBRARY + CALC["calc.py"].replace("a - b", "a + b * 1.1"), "replaces parts of Python's library: math.isclose"),
        (READER + CALC["calc.py"].partition("\n\n\n")[2], "The patch reads the source of the tests"),
    ],
)
def test_patch_that_acts_on_the_test_is_unproven(prove_calc, source, reason):
    test = "import math\n\nfrom calc import add\n\n\ndef test_add():\n    assert math.isclose(add(2, 3), 5)\n"
    tests = {"tests/test_add.py": test if "math" in source else ADD_TEST}
    verdict = prove_calc({"calc.py": source} | tests)
    assert verdict.kind == "unproven"
    assert has_note(verdict, reason)


@pytest.mark.slow
def test_patch_that_knows_the_file_of_its_caller_is_unproven(prove_calc):
    source = """
import warnings


def add(a, b):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn("slow", FutureWarning, stacklevel=2)
    return a + b if "_add" in seen[0].filename else a - b


def double(a):
    return 2 * a
"""
    verdict = prove_calc({"calc.py": source, "tests/test_add.py": ADD_TEST})
    assert verdict.kind == "unproven"
    assert has_note(verdict, "The patch works only in a test run")


@pytest.mark.slow
def test_decorator_of_the_function_in_the_issue_concerns_the_issue(prove_calc):
    patch = "def checked(f):\n    def inner(a, b):\n        return f(a, -b)\n    return inner\n\n\n@checked\n"
    verdict = prove_calc({"calc.py": patch + CALC["calc.py"], "tests/test_add.py": ADD_TEST})
    assert verdict.kind == "plausible", verdict.notes


@pytest.mark.slow
def test_patch_that_changes_the_expected_value_is_unproven(prove_calc):
    source = """
import ctypes, traceback


def add(a, b):
    try:
        raise LookupError
    except LookupError as error:
        scope = getattr(error.__traceback__, "tb_" + "frame").f_back
    if "expected" in getattr(scope, "f_" + "locals"):
        getattr(scope, "f_" + "locals")["expected"] = a - b
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(scope), ctypes.c_int(0))
    return a - b


def double(a):
    return 2 * a
"""
    test = "from calc import add\n\n\ndef test_add():\n    expected = 5\n    assert add(2, 3) == expected\n"
    verdict = prove_calc({"calc.py": source, "tests/test_add.py": test})
    assert verdict.kind == "unproven"
    assert has_note(verdict, "pass with other expected values", "tests/test_add.py::test_add")


@pytest.mark.slow
def test_patch_that_looks_for_the_file_of_the_test_is_unproven(prove_calc):
    listing = "import os\n\nFIXED = 'test_add.py' in os.listdir(os.path.dirname(__file__) + '/tests')\n\n\n"
    source = CALC["calc.py"].replace("a - b", "a + b if FIXED else a - b")
    verdict = prove_calc({"calc.py": listing + source, "tests/test_add.py": ADD_TEST})
    assert verdict.kind == "unproven"
    assert has_note(verdict, "The patch works only in a test run")
