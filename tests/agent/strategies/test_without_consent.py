"""Without permission to run the tests, no strategy runs code of the repository on this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from agent.run_state.strategy_traits import is_by_hand
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import RunStrategy
from trajectories.errors import ModelError, Stop, UsageError
from trajectories.plugins import names

pytestmark = pytest.mark.slow

USER_STRATEGIES = {"choose", "compact", "undo", "prove", "by-hand"}
STRATEGIES = sorted(names("agent.strategies").keys() - USER_STRATEGIES)
FUNCTION = "def unique(items):\n    seen = []\n    for item in items:\n        if item not in seen:\n"
FUNCTION += "            seen.append(item)\n    return seen\n"
TEST = "import unittest\n\nfrom pkg.core import unique\n\n\nclass CoreTest(unittest.TestCase):\n"
TEST += "    def test_unique(self):\n        self.assertEqual(unique([1, 1]), [2])\n"
ISSUE = "unique() is wrong\n\nunique([1, 1]) in pkg/core.py gives [1]:\n\n```python\nimport pkg\n```"


def marker_line(folder: Path, name: str) -> str:
    """A line of Python that creates a file when it runs."""
    return f"open({str(folder / name)!r}, 'a').close()\n"


def marked_files(folder: Path) -> dict[str, str]:
    return {
        "conftest.py": marker_line(folder, "conftest"),
        "sitecustomize.py": marker_line(folder, "sitecustomize"),
        "usercustomize.py": marker_line(folder, "usercustomize"),
        "pkg/__init__.py": marker_line(folder, "package"),
        "pkg/core.py": FUNCTION,
        "tests/__init__.py": marker_line(folder, "tests"),
        "tests/test_core.py": TEST,
        "setup.cfg": "[metadata]\nname = pkg\n",
        ".gitignore": "__pycache__/\n",
    }


@pytest.fixture
def markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the marker files, with a user configuration that denies every command."""
    config = tmp_path / "config.toml"
    config.write_text('[permissions]\ndeny = ["command *"]\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    folder = tmp_path / "markers"
    folder.mkdir()
    return folder


def run_denied_strategy(run_strategy: RunStrategy, markers: Path, strategy: str, **settings: object) -> list[str]:
    """Run a strategy whose commands are denied and return the names of the marker files."""
    edit = act("edit", path="pkg/core.py", old="    seen = []", new="    seen = list()")
    new = act("edit", path="pkg/more.py", old="", new=marker_line(markers, "edit"))
    replies = [line("So.", edit, new, act("run_tests"), act("shell", command=f"touch {markers}/shell"), n=1)]
    replies.append(line("Done.", act("submit")))
    with suppress(ModelError, Stop, UsageError):
        run_strategy(strategy, *replies, files=marked_files(markers), issue=ISSUE, max_steps=8, **settings)
    return sorted(file.name for file in markers.iterdir())


def test_only_manual_strategies_are_left_out() -> None:
    assert "optimize" in STRATEGIES
    assert all(is_by_hand(name.replace("_", "-")) for name in USER_STRATEGIES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategy_runs_nothing_with_denied_commands(run_strategy: RunStrategy, markers: Path, strategy: str) -> None:
    assert run_denied_strategy(run_strategy, markers, strategy, test="") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"function": "pkg/core.py:unique"},
        {"workload": "python3 -c 'import pkg'"},
        {"benchmark": "tests/test_core.py::CoreTest::test_unique"},
    ],
    ids=["function", "workload", "benchmark"],
)
def test_optimize_runs_no_workload_with_denied_commands(
    run_strategy: RunStrategy, markers: Path, settings: dict
) -> None:
    assert run_denied_strategy(run_strategy, markers, "optimize", **settings) == []


def test_rule_for_command_in_workload_denies_it(
    run_strategy: RunStrategy, markers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "touching.toml"
    config.write_text('[permissions]\ndeny = ["command touch"]\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    assert run_denied_strategy(run_strategy, markers, "optimize", workload=f"touch {markers / 'workload'}") == []
