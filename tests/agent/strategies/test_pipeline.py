"""The pipeline. The cases, written before the strategy:

1. Two of three patches are the same in other words, and right; the first, which is what one answer alone gives, is
   wrong but passes the test that came with it: the vote decides.
2. A patch that loses what passed is filtered, however many made it.
3. Answers without a block, or for a file that is not there, are no end of it.
4. A model that is of no use: the end comes with as many calls as there are questions.
"""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import FILES as FILES_OF
from tests.agent.strategies.conftest import SUBMIT, Solved, equal, mend, test_of

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


def test_vote_decides(solved: Solved) -> None:
    wrong, right, same = block("return abs(a) + abs(b)"), block("return a + b"), block("return a + b  # the sum")
    ended = solved("pipeline", *QUESTIONS, *patches(wrong, right, same))
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("vote")[0].startswith("2 for patch-2")
    assert ended.notes("phase") == ["files", "elements", "tests", "patches", "vote"]
    assert ended.notes("summary")[:2] == ["Files: calc.py", "Elements: calc.py:add"]
    asked = next(step for step in ended.steps if step.branch == "main/patch-1" and step.author == "task")
    assert "def add" in asked.observations[0].text
    assert "def twice" not in asked.observations[0].text
    alone = solved("react", line("So.", test_of("issue", equal("add(2, 3)", 5)), mend("abs(a) + abs(b)"), SUBMIT))
    assert alone.answer("add(-1, -2)") != -3


def test_what_loses_tests_is_filtered_whoever_made_it(solved: Solved) -> None:
    losing = (
        block("return a + b\n\n\ndef twice(a):\n    return a")
        + "\n"
        + ("calc.py\n<<<<<<< SEARCH\n    return a * 2\n=======\n    return a\n>>>>>>> REPLACE\n")
    )
    ended = solved("pipeline", *QUESTIONS, *patches(losing, losing, block("return a + b")))
    assert (ended.kind, ended.answer("twice(4)")) == ("verified", 8)
    assert any("breaks" in note for note in ended.notes("prune"))


def test_answers_without_block_are_no_end_of_it(solved: Solved) -> None:
    nowhere = block("return a + b", "nowhere.py")
    ended = solved("pipeline", *QUESTIONS, *patches("I would add them.", nowhere, block("return a + b")))
    assert (ended.kind, ended.answer("add(1, 2)")) == ("verified", 3)


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("pipeline", line("Well."))
    assert (ended.kind, ended.result.exit.code) == ("not_found", 1)
    assert ended.result.spent.calls == 7


def test_what_is_shown_stands_once_in_its_order_with_imports(solved: Solved) -> None:
    text = (
        "import math\n\n\ndef add(a, b):\n    return a - b\n\n\n"
        "class Sums:\n    def twice(self, a):\n        return a * 2\n\n\ntwice = Sums().twice\n"
    )
    files = {**FILES_OF, "calc.py": text}
    chosen = line("calc.py:Sums.twice\ncalc.py:Sums\ncalc.py:add", branch="main/elements")
    ended = solved("pipeline", FILES, chosen, *TESTS, *patches(block("return a + b")), files=files, attempts=1)
    asked = next(step for step in ended.steps if step.branch == "main/patch-1" and step.author == "task")
    text = asked.observations[0].text
    places = [text.index(words) for words in ("import math", "def add", "class Sums", "def twice")]
    assert places == sorted(places)
    assert text.count("def twice") == 1
    assert "A test that reproduces the issue and must pass with the patch: tests/test_issue.py" in text
    tester = next(step for step in ended.steps if step.branch == "main/test-1" and step.author == "task")
    assert "unittest discover" in tester.observations[0].text
    assert "class TwiceTest" in tester.observations[0].text


def test_test_that_may_not_stand_there_is_none(solved: Solved) -> None:
    paths = (1, "../test_a.py"), (2, "tests/.git/test_b.py")
    astray = [line(TEST.replace("tests/test_issue.py", path), branch=f"main/test-{n}") for n, path in paths]
    ended = solved("pipeline", FILES, ELEMENTS, *astray, *patches(block("return a + b")), attempts=2)
    assert "0 different tests for the issue" in ended.notes("summary")
