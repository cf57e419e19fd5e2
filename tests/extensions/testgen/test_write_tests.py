"""The `write-tests` strategy with a model, for code that the search does not reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.strategies.conftest import FinishedRun, RunStrategy
from trajectories.git_store.trees import Trees

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
OPTIONS = {"function": "lock.py:opened", "test": "", "max_time": 100.0, "files": FILES}


@pytest.fixture(autouse=True)
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search finds no input for LOCK, however long it runs."""
    shorten_search(monkeypatch)


def shorten_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.testgen.case_search.PLATEAU", 360)
    monkeypatch.setattr("extensions.testgen.coverage_loop.SECONDS", 600.0)


def reply(text: str, **script_fields: object) -> dict:
    return {**script_fields, "reply": {"text": text, "actions": [], "usage": {"input_tokens": 10, "output_tokens": 10}}}


def written_tests(run: FinishedRun, path: str = "tests/test_lock_opened.py") -> str:
    with Trees(run.result.directory / "trees.git") as trees:
        return trees.read(run.result.exit.tree, path).decode()


def observed_text(run: FinishedRun) -> str:
    return "\n".join(observation.text for step in run.steps for observation in step.observations)


def test_failing_test_is_reported_and_fixed(run_strategy: RunStrategy) -> None:
    run = run_strategy("write-tests", reply(WRONG, n=1), reply(RIGHT, n=2), reply("That is all."), **OPTIONS)
    assert run.kind == "written"
    assert "opened('Qkx9xkkkQ') == 13" in written_tests(run)
    assert "it fails: AssertionError" in observed_text(run)
    assert ">    7         return word.count" in observed_text(run)
    assert "After:  lines 3/3 (100%)" in run.result.word


def test_run_with_useless_model_ends_after_repairs(run_strategy: RunStrategy) -> None:
    run = run_strategy("write-tests", reply(USELESS), **OPTIONS)
    assert run.kind == "written"
    assert "Qkx9" not in written_tests(run)
    assert "test_nothing: it asserts nothing." in observed_text(run)
    assert "test_known: it passes, but runs no new line and detects no new fault." in observed_text(run)
    assert len(run.trajectory.replies) == 3


def test_answer_without_code_is_reported(run_strategy: RunStrategy) -> None:
    run = run_strategy("write-tests", reply("I would rather not."), **OPTIONS)
    assert run.kind == "written"
    assert "There is no test function in your answer." in observed_text(run) or "cannot be parsed" in observed_text(run)


def test_test_command_of_other_kind_runs_beside_new_tests(run_strategy: RunStrategy) -> None:
    run = run_strategy("write-tests", reply(RIGHT), **{**OPTIONS, "test": "test -f lock.py"})
    assert run.kind == "written"
    assert "opened('Qkx9xkkkQ') == 13" in written_tests(run)
    assert run.result.exit.verdict.no_loss


def test_tests_that_break_other_tests_are_dropped(run_strategy: RunStrategy) -> None:
    count = "import pathlib\nimport unittest\n\n\nclass CountTest(unittest.TestCase):\n    def test_files(self):\n" + (
        "        self.assertEqual(len(list(pathlib.Path(__file__).parent.glob('test*.py'))), 1)\n"
    )
    files = {**FILES, "tests/__init__.py": "", "tests/test_count.py": count}
    run = run_strategy("write-tests", reply(RIGHT), **{**OPTIONS, "files": files})
    assert (run.kind, run.result.patch.diff) == ("not_found", "")
    assert "No test was kept, because other tests fail with them: " in run.result.word


def test_code_that_runs_commands_under_pytest_is_stopped(run_strategy: RunStrategy, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = (
        "import os\n\n\ndef f(a):\n"
        f"    if 'PYTEST_CURRENT_TEST' in os.environ:\n        os.system('touch {marker}')\n"
        "    return a == 3\n"
    )
    files = {"lock.py": code, ".gitignore": "__pycache__/\n"}
    run = run_strategy(
        "write-tests", reply("No."), **{**OPTIONS, "function": "lock.py:f", "max_time": 60.0, "files": files}
    )
    assert run.kind == "not_found", run.result.word
    assert not marker.exists()


def test_test_that_detects_no_fault_is_refused(run_strategy: RunStrategy) -> None:
    empty = "```python\ndef test_a():\n    opened('Qkx9xkkkQ')\n    assert 1 == 1\n```"
    run = run_strategy("write-tests", reply(empty), **OPTIONS)
    assert "Qkx9" not in written_tests(run)
    assert "also passes with each fault" in observed_text(run)


def test_failing_test_is_dropped_without_other_tests(run_strategy: RunStrategy) -> None:
    bad = "```python\ndef test_a():\n    assert opened('Qkx9xkkkQ') == 13 and 'pytest' in dir()\n```"
    run = run_strategy("write-tests", reply(bad, n=1), reply("That is all."), **OPTIONS)
    assert "def test_opened" in written_tests(run)
    assert "Qkx9" not in written_tests(run)
    assert "After:  lines 2/3" in run.result.word
    assert "by the model" not in run.result.word
    assert "Dropped, because they do not pass every time: test_opened" in run.result.word


def test_missing_or_unimportable_file_is_reported(run_strategy: RunStrategy) -> None:
    files = {**FILES, "my-tool.py": LOCK}
    run = run_strategy(
        "write-tests",
        reply("None."),
        **{**OPTIONS, "files": files, "function": "gone.py:f,my-tool.py:opened,lock.py:opened"},
    )
    assert run.kind == "written"
    assert "gone.py: there is no such file." in run.result.word
    assert "No test can import my-tool.py: 'my-tool' is not a valid Python name." in run.result.word


def test_required_python_path_is_reported(run_strategy: RunStrategy) -> None:
    files = {"src/pkg/__init__.py": "", "src/pkg/lock.py": LOCK, ".gitignore": "__pycache__/\n"}
    run = run_strategy(
        "write-tests", reply("None."), **{**OPTIONS, "files": files, "function": "src/pkg/lock.py:opened"}
    )
    assert run.kind == "written"
    assert "Run them with PYTHONPATH=src: without it `" in run.result.word
