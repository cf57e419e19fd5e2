"""The strategy and the graph in the guide run as printed, and its list of strategies is complete."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from agent.cli.command_line import run
from agent.cli.commands.strategies import strategy_rows
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test
from trajectories.plugins import names

GUIDE = Path(__file__).parents[3] / "docs/strategies.md"
TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))


@pytest.fixture
def smaller_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The strategy of the guide, importable by name like a built-in one."""
    match = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match
    file = tmp_path / "smaller.py"
    file.write_text(match[1])
    spec = importlib.util.spec_from_file_location("smaller", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "smaller", module)
    spec.loader.exec_module(module)
    strategy_names = names("agent.strategies")
    for module_name in ("trajectories.plugins", "agent.run_state.strategy_traits"):
        monkeypatch.setattr(
            f"{module_name}.names",
            lambda package: (
                strategy_names | {"smaller": "smaller"} if package == "agent.strategies" else names(package)
            ),
        )
    return match[1]


@pytest.mark.slow
def test_strategy_of_guide_runs(smaller_strategy: str, run_strategy: RunStrategy) -> None:
    assert len(smaller_strategy.splitlines()) < 32
    long = line("So.", TEST, edit_calc("a + b + 0 * (a - b)"), SUBMIT, branch="main/try-0")
    short = line("So.", TEST, edit_calc("a + b"), SUBMIT, branch="main/try-1")
    finished_run = run_strategy("smaller", long, short)
    assert (finished_run.kind, finished_run.notes("vote")) == ("plausible", ["try-1 is the smaller of 2"])
    assert "+    return a + b\n" in finished_run.result.patch.source


def test_list_describes_each_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["strategies"]}
    assert {"react", "test-then-patch", "best-of"} <= listed.keys()
    assert listed["best-of"]["roles"] == ["coder", "senior", "selector"]
    assert listed["react"]["cost"] == 1.0
    assert all(row["what"].endswith(".") and row["when"] and row["source"] for row in listed.values())
    assert run(["strategies", "--plain"]) == 0
    assert "times the cost of react" in capsys.readouterr().out


def test_guide_lists_each_strategy() -> None:
    guide = GUIDE.read_text()
    for row in strategy_rows():
        cost = "" if row.cost is None else f" {row.cost} |"
        assert f"| `{row.name}` |{cost}" in guide
        assert all(paper in guide for paper in re.findall(r"arXiv \d+\.\d+", row.source)), row.name


@pytest.mark.slow
def test_graph_of_guide_runs(run_strategy: RunStrategy, tmp_path: Path) -> None:
    graph = next(text for text in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "[phase." in text)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(graph)
    lines = (
        line("A plus is missing.", branch="main/guess-1-1"),
        line(
            "So.", TEST, edit_calc("a + b"), SUBMIT, branch="main/work", contains="The manager says: A plus is missing."
        ),
        line("It is right.\nyes", branch="main/test"),
    )
    finished_run = run_strategy("team", *lines, prompts=tmp_path / "own")
    assert (finished_run.kind, finished_run.notes("phase")) == ("plausible", ["guess", "work", "prove", "test"])
