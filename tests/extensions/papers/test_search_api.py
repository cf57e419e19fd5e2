"""The `search-api` strategy: suspicious lines, diagnostics after edits, and a limit of search rounds."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from agent.lifecycle.run_lifecycle import reopen
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, RunStrategy, edit_calc, equal, finish_run, new_test

pytestmark = pytest.mark.slow

SHOP = (
    "def gross(a):\n    return a * 3\n\n\ndef net(a):\n    return a - 1\n\n\ndef shown(a):\n    return net(gross(a))\n"
)
TESTS = (
    "import unittest\n\nfrom calc import gross, net, shown\n\n\nclass ShopTest(unittest.TestCase):\n"
    f"    def test_net(self):\n        {equal('net(3)', 2)}\n\n"
    f"    def test_shown(self):\n        {equal('shown(2)', 3)}\n"
)
SHOP_FILES = FILES | {"calc.py": SHOP, "tests/test_calc.py": TESTS}
NEW_TEST = new_test("gross", equal("gross(2)", 4), equal("gross(5)", 10))
NEW_TEST["arguments"]["new"] = NEW_TEST["arguments"]["new"].replace("import add", "import gross")
SUSPECT = "- calc.py:2 in gross: return a * 3"
EXAMPLE_ISSUE = "It is wrong\n\n```\n>>> from calc import gross\n>>> gross(2)\n6\n```\nIt should be 4."


def test_lines_run_only_by_failing_tests_guide_search(run_strategy: RunStrategy) -> None:
    lines = (
        line("calc.py:gross multiplies by three.", branch="main/search", contains=SUSPECT),
        line("So.", NEW_TEST, edit_calc("a * 2", "a * 3"), SUBMIT, contains="calc.py:gross multiplies by three."),
        line("I do not know."),
    )
    options = {"files": SHOP_FILES, "issue": "It is wrong\n\nWhat is shown is wrong.", "max_steps": 30}
    run = run_strategy("search-api", *lines, **options)
    assert (run.kind, run.evaluate("shown(2)")) == ("plausible", 3)
    assert run.notes("phase") == ["search", "fix", "prove"]
    prompt = next(step for step in run.steps if step.branch == "main/search").observations[0].text
    assert "1 failing tests (tests.test_calc.ShopTest.test_shown) and 1 passing ones were traced" in prompt
    assert not run_strategy("react", *lines, **options).result.exit.verdict.complete


@pytest.mark.parametrize(
    ("strategy", "branch"), [("search-api", "main/search"), ("spec", "main/intent"), ("team", "main/explore")]
)
def test_issue_example_gives_suspects_if_no_test_fails(strategy: str, branch: str, run_strategy: RunStrategy) -> None:
    passing = TESTS.partition("    def test_shown")[0]
    options = {"files": SHOP_FILES | {"tests/test_calc.py": passing}, "issue": EXAMPLE_ISSUE}
    run = run_strategy(strategy, line("calc.py:gross."), max_steps=6, **options)
    prompt = next(step for step in run.steps if step.branch == branch).observations[0].text
    assert SUSPECT in prompt
    assert "self.assertEqual(gross(2), 4)" in prompt
    assert (run.result.exit.code, run.notes("summary")[0].partition(":")[0]) == (1, "Made from the issue's example")


def test_record_of_suspects_does_not_list_the_passing_tests(run_strategy: RunStrategy) -> None:
    passing = TESTS.partition("    def test_shown")[0]
    files = SHOP_FILES | {"tests/test_calc.py": passing}
    lines = line("calc.py:gross."), line("I do not know.")
    run = run_strategy("search-api", *lines, max_steps=6, files=files, issue=EXAMPLE_ISSUE)
    recorded = {name: once.value for (_, name), once in run.trajectory.results.items() if "suspects" in name}
    assert len(recorded) == 2
    assert "tests.test_calc.ShopTest.test_net" not in json.dumps(recorded)


def test_interrupted_trace_of_the_example_is_resumed(run_strategy: RunStrategy, tmp_path: Path) -> None:
    """The tests that passed are not in the record, so they are run again."""
    passing = TESTS.partition("    def test_shown")[0]
    options = {"files": SHOP_FILES | {"tests/test_calc.py": passing}, "issue": EXAMPLE_ISSUE, "max_steps": 6}
    run = run_strategy("search-api", line("calc.py:gross."), **options)
    journal = run.result.directory / "journal.jsonl"
    records = journal.read_bytes().splitlines(keepends=True)
    [place] = [number for number, record in enumerate(records) if b"suspects of the example" in record]
    journal.write_bytes(b"".join(records[:place]))
    resumed = finish_run(reopen(run.result.directory, tmp_path / "state", trusted=run.result.directory.parent))
    prompts = [next(step for step in each.steps if step.branch == "main/search") for each in (run, resumed)]
    assert SUSPECT in prompts[1].observations[0].text
    assert prompts[0].observations == prompts[1].observations


def test_issue_without_failing_example_gives_no_suspects(run_strategy: RunStrategy) -> None:
    body = "```\n>>> from calc import twice\n>>> twice(2)\n4\n```\nIt should be 4."
    run = run_strategy("search-api", line("calc.py:add."), issue=f"It is wrong\n\n{body}", max_steps=6)
    prompt = next(step for step in run.steps if step.branch == "main/search").observations[0].text
    assert "No test fails" in prompt


def test_diagnostics_are_reported_after_edit(run_strategy: RunStrategy) -> None:
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    bad, good = "twice(a, b) + b - a", "twice(a) + b - a"
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, edit_calc(bad), n=1),
        line("Ah.", edit_calc(good, bad), SUBMIT, contains="calc.py:2: twice() takes 1 positional argument, not 2"),
        line("I do not know."),
    )
    run = run_strategy("search-api", *lines, max_steps=20)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    diagnostics = [step.observations[0].text for step in run.steps if step.author == "checker"]
    assert diagnostics[1:] == ["The diagnostics after your edit are fixed."]
    assert not run_strategy("react", *lines, max_steps=20).result.exit.verdict.complete


def test_submission_with_diagnostics_is_returned_once(run_strategy: RunStrategy) -> None:
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    odd = "a + b if a is not None else twice(a, b)"
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, edit_calc(odd), SUBMIT, n=1),
        line("It stays.", SUBMIT, contains="twice() takes 1 positional argument, not 2"),
    )
    run = run_strategy("search-api", *lines, max_steps=20)
    assert (run.kind, run.result.spent.calls) == ("plausible", 3)


def test_search_without_answer_is_ended_after_limit(run_strategy: RunStrategy) -> None:
    searches = [line("Hm.", act("search", pattern=f"word{n}"), branch="main/search", n=n) for n in range(1, 17)]
    conclusion = line("calc.py:add.", branch="main/search", contains="That was the last round.")
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    run = run_strategy("search-api", conclusion, *searches, line("So.", test, edit_calc("a + b"), SUBMIT), max_steps=40)
    assert run.kind == "plausible"
    assert sum(step.branch == "main/search" and step.reply is not None for step in run.steps) <= 16


@pytest.mark.parametrize(
    "test", ["import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        1 / 0\n"]
)
def test_failing_test_outside_code_is_reported(test: str, run_strategy: RunStrategy) -> None:
    lines = line("calc.py:add.", branch="main/search", contains="No failing"), line("I do not know.")
    run = run_strategy("search-api", *lines, files=FILES | {"tests/test_odd.py": test}, max_steps=12)
    assert run.result.exit.code == 1
    assert any(step.branch == "main/search" and step.reply == 1 for step in run.steps)


def test_repeated_search_is_ended(run_strategy: RunStrategy) -> None:
    searches = line("Hm.", act("search", pattern="word"), branch="main/search")
    conclusion = line("calc.py:add.", branch="main/search", contains="That was the last round.")
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    run = run_strategy("search-api", conclusion, searches, line("So.", test, edit_calc("a + b"), SUBMIT), max_steps=40)
    assert run.kind == "plausible"


def test_unloadable_module_is_reported(run_strategy: RunStrategy) -> None:
    bad = edit_calc("a - b\n\n\nfrom tests.test_calc import Nothing")
    lines = line("calc.py:add.", branch="main/search"), line("So.", bad, branch="main/fix", n=1), line("Hm.")
    run = run_strategy("search-api", *lines, max_steps=6)
    warnings = [step.observations[0].text for step in run.steps if step.author == "safety"]
    assert warnings
    assert "calc can no longer be loaded" in warnings[0]


TYPED = "def add(a, b):\n    return a - b\n\n\ndef old() -> int:\n    return 'x'\n"


@pytest.fixture
def with_mypy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("with_mypy")
def test_type_checker_reports_only_new_errors_and_leaves_no_files(run_strategy: RunStrategy) -> None:
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    typed = act("edit", path="calc.py", old="def add(a, b):", new="def add(a: int, b: int) -> int:")
    second_edit = act("edit", path="calc.py", old="return a + b + 'x'", new="return a + b")
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, typed, edit_calc("a + b + 'x'"), branch="main/fix", n=1),
        line("So.", second_edit, SUBMIT, branch="main/fix", contains="Unsupported operand types"),
    )
    files = FILES | {"calc.py": TYPED, "mypy.ini": "[mypy]\nlinecount_report = reports\n"}
    files["tests/test_calc.py"] = (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        pass\n"
    )
    run = run_strategy("search-api", *lines, files=files, max_steps=12)
    assert run.kind == "plausible"
    diagnostics = [step.observations[0].text for step in run.steps if step.author == "checker"]
    assert len(diagnostics) == 2
    assert "calc.py:2: error: Unsupported" in diagnostics[0]
    assert "calc.py:6" not in diagnostics[0]
    assert "reports" not in run.result.patch.diff
