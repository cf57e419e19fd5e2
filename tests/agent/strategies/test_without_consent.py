"""No strategy runs code of the repository on this machine when the tests may not be run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import agent.strategies
from agent.run_state.strategy_traits import is_by_hand
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import Solved
from trajectories.errors import ModelError, Stop, UsageError

pytestmark = pytest.mark.slow

OF_USER = ("choose", "compact", "undo", "prove", "by_hand")
FOLDER = Path(agent.strategies.__file__).parent
STRATEGIES = sorted(file.stem.replace("_", "-") for file in FOLDER.glob("[a-z]*.py") if file.stem not in OF_USER)
FUNCTION = "def unique(items):\n    seen = []\n    for item in items:\n        if item not in seen:\n"
FUNCTION += "            seen.append(item)\n    return seen\n"
TEST = "import unittest\n\nfrom pkg.core import unique\n\n\nclass CoreTest(unittest.TestCase):\n"
TEST += "    def test_unique(self):\n        self.assertEqual(unique([1, 1]), [2])\n"
ISSUE = "unique() is wrong\n\nunique([1, 1]) in pkg/core.py gives [1]:\n\n```python\nimport pkg\n```"


def marking(folder: Path, name: str) -> str:
    """A line of Python that shows afterwards that it was run."""
    return f"open({str(folder / name)!r}, 'a').close()\n"


def marked_files(folder: Path) -> dict[str, str]:
    return {
        "conftest.py": marking(folder, "conftest"),
        "sitecustomize.py": marking(folder, "sitecustomize"),
        "usercustomize.py": marking(folder, "usercustomize"),
        "pkg/__init__.py": marking(folder, "package"),
        "pkg/core.py": FUNCTION,
        "tests/__init__.py": marking(folder, "tests"),
        "tests/test_core.py": TEST,
        "setup.cfg": "[metadata]\nname = pkg\n",
        ".gitignore": "__pycache__/\n",
    }


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the marks, while the user's configuration denies every command."""
    config = tmp_path / "config.toml"
    config.write_text('[permissions]\ndeny = ["command *"]\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def solve_denied(solved: Solved, marks: Path, strategy: str, **settings: object) -> list[str]:
    """The marks that a run leaves under a rule which denies its commands."""
    edit = act("edit", path="pkg/core.py", old="    seen = []", new="    seen = list()")
    new = act("edit", path="pkg/more.py", old="", new=marking(marks, "edit"))
    replies = [line("So.", edit, new, act("run_tests"), act("shell", command=f"touch {marks}/shell"), n=1)]
    replies.append(line("Done.", act("submit")))
    with suppress(ModelError, Stop, UsageError):
        solved(strategy, *replies, files=marked_files(marks), issue=ISSUE, max_steps=8, **settings)
    return sorted(file.name for file in marks.iterdir())


def test_every_strategy_is_tried() -> None:
    assert "optimize" in STRATEGIES
    assert all(is_by_hand(name.replace("_", "-")) for name in OF_USER)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategy_runs_nothing_where_commands_are_denied(solved: Solved, marks: Path, strategy: str) -> None:
    assert solve_denied(solved, marks, strategy, test="") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"function": "pkg/core.py:unique"},
        {"workload": "python3 -c 'import pkg'"},
        {"benchmark": "tests/test_core.py::CoreTest::test_unique"},
    ],
    ids=["function", "workload", "benchmark"],
)
def test_optimize_runs_no_workload_where_commands_are_denied(solved: Solved, marks: Path, settings: dict) -> None:
    assert solve_denied(solved, marks, "optimize", **settings) == []


def test_rule_about_word_of_workload_denies_it(
    solved: Solved, marks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "touching.toml"
    config.write_text('[permissions]\ndeny = ["command touch"]\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    assert solve_denied(solved, marks, "optimize", workload=f"touch {marks / 'workload'}") == []
