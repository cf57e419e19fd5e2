"""`search-api`. The cases, written before it:

1. The issue says little of where; a test fails already. The lines that only it runs are told, the searcher names the
   function by them, and the patch follows. React with the same replies does not know where.
2. An edit calls a function with what it does not take. That is told at once, and mended; in react nobody tells.
3. A searcher that only looks is asked for words after 15 rounds.
4. Tests that run nothing of the repository's own: that is told, and it goes on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, Solved, equal, mend, test_of

pytestmark = pytest.mark.slow

SHOP = (
    "def gross(a):\n    return a * 3\n\n\ndef net(a):\n    return a - 1\n\n\ndef shown(a):\n    return net(gross(a))\n"
)
TESTS = (
    "import unittest\n\nfrom calc import gross, net, shown\n\n\nclass ShopTest(unittest.TestCase):\n"
    f"    def test_net(self):\n        {equal('net(3)', 2)}\n\n"
    f"    def test_shown(self):\n        {equal('shown(2)', 3)}\n"
)
OF_SHOP = FILES | {"calc.py": SHOP, "tests/test_calc.py": TESTS}
NEW = test_of("gross", equal("gross(2)", 4), equal("gross(5)", 10))
NEW["arguments"]["new"] = NEW["arguments"]["new"].replace("import add", "import gross")
SUSPECT = "- calc.py:2 in gross: return a * 3"


def test_lines_that_fail_say_where(solved: Solved) -> None:
    lines = (
        line("calc.py:gross multiplies by three.", branch="main/search", contains=SUSPECT),
        line("So.", NEW, mend("a * 2", "a * 3"), SUBMIT, contains="calc.py:gross multiplies by three."),
        line("I do not know."),
    )
    asked = {"files": OF_SHOP, "issue": "It is wrong\n\nWhat is shown is wrong.", "max_steps": 30}
    ended = solved("search-api", *lines, **asked)
    assert (ended.kind, ended.answer("shown(2)")) == ("verified", 3)
    assert ended.notes("phase") == ["search", "mend", "prove"]
    told = next(step for step in ended.steps if step.branch == "main/search").observations[0].text
    assert "1 failing tests (tests.test_calc.ShopTest.test_shown) and 1 passing ones were traced" in told
    assert solved("react", *lines, **asked).kind != "verified"


def test_what_does_not_fit_is_told_after_edit(solved: Solved) -> None:
    test = test_of("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    bad, good = "twice(a, b) + b - a", "twice(a) + b - a"
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, mend(bad), n=1),
        line("Ah.", mend(good, bad), SUBMIT, contains="calc.py:2: twice() takes 1 positional argument, not 2"),
        line("I do not know."),
    )
    ended = solved("search-api", *lines, max_steps=20)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    told = [step.observations[0].text for step in ended.steps if step.author == "checker"]
    assert told[1:] == ["The diagnostics after your edit are fixed."]
    assert solved("react", *lines, max_steps=20).kind != "verified"


def test_what_is_handed_in_with_it_comes_back_once(solved: Solved) -> None:
    test = test_of("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    odd = "a + b if a is not None else twice(a, b)"
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, mend(odd), SUBMIT, n=1),
        line("It stays.", SUBMIT, contains="twice() takes 1 positional argument, not 2"),
    )
    ended = solved("search-api", *lines, max_steps=20)
    assert (ended.kind, ended.result.spent.calls) == ("verified", 3)


def test_who_only_looks_is_asked_for_words(solved: Solved) -> None:
    looks = [line("Hm.", act("search", pattern=f"word{n}"), branch="main/search", n=n) for n in range(1, 17)]
    words = line("calc.py:add.", branch="main/search", contains="That was the last round.")
    test = test_of("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    ended = solved("search-api", words, *looks, line("So.", test, mend("a + b"), SUBMIT), max_steps=40)
    assert ended.kind == "verified"
    assert sum(step.branch == "main/search" and step.reply is not None for step in ended.steps) <= 16


@pytest.mark.parametrize(
    "test", ["import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        1 / 0\n"]
)
def test_what_cannot_be_watched_is_told(test: str, solved: Solved) -> None:
    lines = line("calc.py:add.", branch="main/search", contains="No failing"), line("I do not know.")
    ended = solved("search-api", *lines, files=FILES | {"tests/test_odd.py": test}, max_steps=12)
    assert ended.result.exit.code == 1
    assert any(step.branch == "main/search" and step.reply == 1 for step in ended.steps)


def test_who_looks_in_circles_is_asked_for_words(solved: Solved) -> None:
    looks = line("Hm.", act("search", pattern="word"), branch="main/search")
    words = line("calc.py:add.", branch="main/search", contains="That was the last round.")
    test = test_of("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    ended = solved("search-api", words, looks, line("So.", test, mend("a + b"), SUBMIT), max_steps=40)
    assert ended.kind == "verified"


def test_net_still_tells_what_cannot_be_loaded(solved: Solved) -> None:
    bad = mend("a - b\n\n\nfrom tests.test_calc import Nothing")
    lines = line("calc.py:add.", branch="main/search"), line("So.", bad, branch="main/mend", n=1), line("Hm.")
    ended = solved("search-api", *lines, max_steps=6)
    told = [step.observations[0].text for step in ended.steps if step.author == "safety"]
    assert told
    assert "calc can no longer be loaded" in told[0]


TYPED = "def add(a, b):\n    return a - b\n\n\ndef old() -> int:\n    return 'x'\n"


@pytest.fixture
def with_mypy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("with_mypy")
def test_checker_tells_only_news_and_leaves_nothing(solved: Solved) -> None:
    test = test_of("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    typed = act("edit", path="calc.py", old="def add(a, b):", new="def add(a: int, b: int) -> int:")
    again = act("edit", path="calc.py", old="return a + b + 'x'", new="return a + b")
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, typed, mend("a + b + 'x'"), branch="main/mend", n=1),
        line("So.", again, SUBMIT, branch="main/mend", contains="Unsupported operand types"),
    )
    files = FILES | {"calc.py": TYPED, "mypy.ini": "[mypy]\nlinecount_report = reports\n"}
    files["tests/test_calc.py"] = (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        pass\n"
    )
    ended = solved("search-api", *lines, files=files, max_steps=12)
    assert ended.kind == "verified"
    told = [step.observations[0].text for step in ended.steps if step.author == "checker"]
    assert len(told) == 2
    assert "calc.py:2: error: Unsupported" in told[0]
    assert "calc.py:6" not in told[0]
    assert "reports" not in ended.result.patch.diff
