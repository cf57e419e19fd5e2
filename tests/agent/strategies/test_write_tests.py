"""Tests by a model where the search finds no way in: kept, mended, refused, and in the end no more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.strategies.conftest import Ended, Solved
from trajectories.trees import Trees

pytestmark = pytest.mark.slow

LOCK = '''"""A lock."""


def opened(word):
    """Whether the word opens it."""
    if len(word) == 9 and word[2:5] == "x9x" and word[-1] == word[0] == "Q":
        return word.count("k") * 3 + 1
    return 0
'''
FILES = {"lock.py": LOCK, ".gitignore": "__pycache__/\n"}
RIGHT = (
    "```python\ndef test_it_opens():\n    assert opened('Qkx9xkkkQ') == 13\n    assert opened('Qax9xaaaQ') == 1\n```"
)
WRONG = "```python\ndef test_it_opens():\n    assert opened('Qkx9xkkkQ') == 12\n```"
USELESS = "```python\ndef test_nothing():\n    opened('')\n\n\ndef test_known():\n    assert opened('') == 0\n```"
ASKED = {"function": "lock.py:opened", "test": "", "max_time": 100.0, "files": FILES}


@pytest.fixture(autouse=True)
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search finds nothing in LOCK however long it looks."""
    monkeypatch.setattr("aci.testgen.case_search.PLATEAU", 1000)


def said(text: str, **where: object) -> dict:
    return {**where, "reply": {"text": text, "actions": [], "usage": {"input_tokens": 10, "output_tokens": 10}}}


def written(ended: Ended, path: str = "tests/test_lock_opened.py") -> str:
    with Trees(ended.result.directory / "trees.git") as trees:
        return trees.read(ended.result.exit.tree, path).decode()


def told(ended: Ended) -> str:
    return "\n".join(seen.text for step in ended.steps for seen in step.observations)


def test_what_fails_is_told_and_mended(solved: Solved) -> None:
    ended = solved("write-tests", said(WRONG, n=1), said(RIGHT, n=2), said("That is all."), **ASKED)
    assert ended.kind == "written"
    assert "opened('Qkx9xkkkQ') == 13" in written(ended)
    assert "it fails: AssertionError" in told(ended)
    assert ">    7         return word.count" in told(ended)
    assert "After:  lines 3/3 (100%)" in ended.result.word


def test_model_of_no_use_ends_after_its_repairs(solved: Solved) -> None:
    ended = solved("write-tests", said(USELESS), **ASKED)
    assert ended.kind == "written"
    assert "Qkx9" not in written(ended)
    assert "test_nothing: it asserts nothing." in told(ended)
    assert "test_known: it passes, but runs no new line and detects no new fault." in told(ended)
    assert len(ended.trajectory.replies) == 3


def test_answer_without_code_is_told(solved: Solved) -> None:
    ended = solved("write-tests", said("I would rather not."), **ASKED)
    assert ended.kind == "written"
    assert "There is no test function in your answer." in told(ended) or "cannot be parsed" in told(ended)


def test_command_that_is_no_runner_of_pythons_is_run_beside_new_tests(solved: Solved) -> None:
    ended = solved("write-tests", said(RIGHT), **{**ASKED, "test": "test -f lock.py"})
    assert ended.kind == "written"
    assert "opened('Qkx9xkkkQ') == 13" in written(ended)
    assert ended.result.exit.verdict.no_loss


def test_tests_that_make_others_fail_are_not_kept(solved: Solved) -> None:
    count = "import pathlib\nimport unittest\n\n\nclass CountTest(unittest.TestCase):\n    def test_files(self):\n" + (
        "        self.assertEqual(len(list(pathlib.Path(__file__).parent.glob('test*.py'))), 1)\n"
    )
    files = {**FILES, "tests/__init__.py": "", "tests/test_count.py": count}
    ended = solved("write-tests", said(RIGHT), **{**ASKED, "files": files})
    assert (ended.kind, ended.result.patch.diff) == ("not_found", "")
    assert "No test was kept, because other tests fail with them: " in ended.result.word


def test_what_runs_commands_under_runner_only_is_stopped_and_dropped(solved: Solved, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = (
        "import os\n\n\ndef f(a):\n"
        f"    if 'PYTEST_CURRENT_TEST' in os.environ:\n        os.system('touch {ran}')\n"
        "    return a == 3\n"
    )
    files = {"lock.py": code, ".gitignore": "__pycache__/\n"}
    ended = solved("write-tests", said("No."), **{**ASKED, "function": "lock.py:f", "max_time": 60.0, "files": files})
    assert ended.kind == "not_found", ended.result.word
    assert not ran.exists()


def test_test_that_notices_no_fault_in_what_it_runs_is_refused(solved: Solved) -> None:
    empty = "```python\ndef test_a():\n    opened('Qkx9xkkkQ')\n    assert 1 == 1\n```"
    ended = solved("write-tests", said(empty), **ASKED)
    assert "Qkx9" not in written(ended)
    assert "also passes with each fault" in told(ended)


def test_what_its_runner_does_not_pass_takes_no_other_test_with_it_and_is_not_counted(solved: Solved) -> None:
    bad = "```python\ndef test_a():\n    assert opened('Qkx9xkkkQ') == 13 and 'pytest' in dir()\n```"
    ended = solved("write-tests", said(bad, n=1), said("That is all."), **ASKED)
    assert "def test_opened" in written(ended)
    assert "Qkx9" not in written(ended)
    assert "After:  lines 2/3" in ended.result.word
    assert "by the model" not in ended.result.word
    assert "Dropped, because they do not pass every time: test_opened" in ended.result.word


def test_name_that_cannot_be_imported_and_file_that_is_not_there_are_words(solved: Solved) -> None:
    files = {**FILES, "my-tool.py": LOCK}
    ended = solved(
        "write-tests",
        said("None."),
        **{**ASKED, "files": files, "function": "gone.py:f,my-tool.py:opened,lock.py:opened"},
    )
    assert ended.kind == "written"
    assert "gone.py: there is no such file." in ended.result.word
    assert "No test can import my-tool.py: 'my-tool' is not a valid Python name." in ended.result.word


def test_what_has_to_be_set_to_run_file_is_told(solved: Solved) -> None:
    files = {"src/pkg/__init__.py": "", "src/pkg/lock.py": LOCK, ".gitignore": "__pycache__/\n"}
    ended = solved("write-tests", said("None."), **{**ASKED, "files": files, "function": "src/pkg/lock.py:opened"})
    assert ended.kind == "written"
    assert "Run them with PYTHONPATH=src: without it `" in ended.result.word
