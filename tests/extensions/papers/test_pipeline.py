"""The `pipeline` strategy: votes between patches, regressions, unusable answers and the prompts."""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import FILES as FILES_OF
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test

pytestmark = pytest.mark.slow

TEST = f"""\
tests/test_issue.py
```python
import unittest

from calc import add


class IssueTest(unittest.TestCase):
    def test_issue(self):
        {equal("add(2, 3)", 5)}
        {equal("add(4, 0)", 4)}
```
"""


def block(new: str, path: str = "calc.py") -> str:
    return f"{path}\n<<<<<<< SEARCH\n    return a - b\n=======\n    {new}\n>>>>>>> REPLACE\n"


FILES = line("calc.py", branch="main/files")
ELEMENTS = line("calc.py:add", branch="main/elements")
TESTS = [line(TEST, branch=f"main/test-{n}") for n in (1, 2)]
QUESTIONS = (FILES, ELEMENTS, *TESTS)


def patches(*texts: str) -> list[dict]:
    return [line(text, branch=f"main/patch-{number}") for number, text in enumerate(texts, 1)]


def test_vote_of_equivalent_patches_selects_patch(run_strategy: RunStrategy) -> None:
    wrong, right, same = block("return abs(a) + abs(b)"), block("return a + b"), block("return a + b  # the sum")
    run = run_strategy("pipeline", *QUESTIONS, *patches(wrong, right, same))
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("vote")[0].startswith("2 for patch-2")
    assert run.notes("phase") == ["files", "elements", "tests", "patches", "vote"]
    assert run.notes("summary")[:2] == ["Files: calc.py", "Elements: calc.py:add"]
    prompt_step = next(step for step in run.steps if step.branch == "main/patch-1" and step.author == "task")
    assert "def add" in prompt_step.observations[0].text
    assert "def twice" not in prompt_step.observations[0].text
    single_run = run_strategy(
        "react", line("So.", new_test("issue", equal("add(2, 3)", 5)), edit_calc("abs(a) + abs(b)"), SUBMIT)
    )
    assert single_run.evaluate("add(-1, -2)") != -3


def test_patch_that_breaks_tests_is_filtered_despite_majority(run_strategy: RunStrategy) -> None:
    breaking = (
        block("return a + b\n\n\ndef twice(a):\n    return a")
        + "\n"
        + ("calc.py\n<<<<<<< SEARCH\n    return a * 2\n=======\n    return a\n>>>>>>> REPLACE\n")
    )
    run = run_strategy("pipeline", *QUESTIONS, *patches(breaking, breaking, block("return a + b")))
    assert (run.kind, run.evaluate("twice(4)")) == ("plausible", 8)
    assert any("breaks" in note for note in run.notes("prune"))


def test_answers_without_usable_block_are_skipped(run_strategy: RunStrategy) -> None:
    unknown_file = block("return a + b", "nowhere.py")
    run = run_strategy("pipeline", *QUESTIONS, *patches("I would add them.", unknown_file, block("return a + b")))
    assert (run.kind, run.evaluate("add(1, 2)")) == ("plausible", 3)


def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("pipeline", line("Well."))
    assert (run.kind, run.result.exit.code) == ("not_found", 1)
    assert run.result.spent.calls == 7


def test_patch_prompt_shows_elements_once_in_file_order(run_strategy: RunStrategy) -> None:
    text = (
        "import math\n\n\ndef add(a, b):\n    return a - b\n\n\n"
        "class Sums:\n    def twice(self, a):\n        return a * 2\n\n\ntwice = Sums().twice\n"
    )
    files = {**FILES_OF, "calc.py": text}
    chosen = line("calc.py:Sums.twice\ncalc.py:Sums\ncalc.py:add", branch="main/elements")
    run = run_strategy("pipeline", FILES, chosen, *TESTS, *patches(block("return a + b")), files=files, attempts=1)
    prompt_step = next(step for step in run.steps if step.branch == "main/patch-1" and step.author == "task")
    text = prompt_step.observations[0].text
    positions = [text.index(part) for part in ("import math", "def add", "class Sums", "def twice")]
    assert positions == sorted(positions)
    assert text.count("def twice") == 1
    assert "A test that reproduces the issue and must pass with the patch: tests/test_issue.py" in text
    tester = next(step for step in run.steps if step.branch == "main/test-1" and step.author == "task")
    assert "unittest discover" in tester.observations[0].text
    assert "class TwiceTest" in tester.observations[0].text


def test_test_in_forbidden_place_is_ignored(run_strategy: RunStrategy) -> None:
    paths = (1, "../test_a.py"), (2, "tests/.git/test_b.py")
    misplaced = [line(TEST.replace("tests/test_issue.py", path), branch=f"main/test-{n}") for n, path in paths]
    run = run_strategy("pipeline", FILES, ELEMENTS, *misplaced, *patches(block("return a + b")), attempts=2)
    assert "0 different tests for the issue" in run.notes("summary")
