"""The guide's strategy runs as it stands there, and the list of strategies is true."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from agent.cli.command_line import run
from agent.cli.strategy_table import strategy_rows
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, Solved, equal, mend, test_of
from trajectories.plugins import names

GUIDE = Path(__file__).parents[3] / "docs/strategies.md"
TEST = test_of("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))


@pytest.fixture
def smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The guide's strategy as a module of its own, found by its name."""
    found = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    file = tmp_path / "smaller.py"
    file.write_text(found[1])
    spec = importlib.util.spec_from_file_location("smaller", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "smaller", module)
    spec.loader.exec_module(module)
    known = names("agent.strategies")
    monkeypatch.setattr(
        "trajectories.plugins.names",
        lambda package: known | {"smaller": "smaller"} if package == "agent.strategies" else names(package),
    )
    return found[1]


@pytest.mark.slow
def test_guides_strategy_runs(smaller: str, solved: Solved) -> None:
    assert len(smaller.splitlines()) < 32
    long = line("So.", TEST, mend("a + b + 0 * (a - b)"), SUBMIT, branch="main/try-0")
    short = line("So.", TEST, mend("a + b"), SUBMIT, branch="main/try-1")
    ended = solved("smaller", long, short)
    assert (ended.kind, ended.notes("vote")) == ("verified", ["try-1 is the smaller of 2"])
    assert "+    return a + b\n" in ended.result.patch.source


def test_list_tells_of_each_strategy_what_user_has_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "--json"]) == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)["strategies"]}
    assert {"react", "best-of", "tree", "evolve", "debate", "converse", "pipeline", "templates"} <= told.keys()
    assert told["best-of"]["roles"] == ["coder", "senior", "selector"]
    assert (told["templates"]["cost"], told["react"]["cost"]) == (0, 1.0)
    assert all(one["what"].endswith(".") and one["when"] and one["source"] for one in told.values())
    assert run(["strategies", "--plain"]) == 0
    assert "times the cost of react" in capsys.readouterr().out


def test_each_strategy_stands_in_guide() -> None:
    guide = GUIDE.read_text()
    for row in strategy_rows():
        cost = "" if row.cost is None else f" {row.cost} |"
        assert f"| `{row.name}` |{cost}" in guide
        assert all(paper in guide for paper in re.findall(r"arXiv \d+\.\d+", row.source)), row.name


@pytest.mark.slow
def test_guides_graph_runs(solved: Solved, tmp_path: Path) -> None:
    graph = next(text for text in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "[phase." in text)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(graph)
    lines = (
        line("A plus is missing.", branch="main/guess-1-1"),
        line("So.", TEST, mend("a + b"), SUBMIT, branch="main/work", contains="The manager says: A plus is missing."),
        line("It is right.\nyes", branch="main/test"),
    )
    ended = solved("team", *lines, prompts=tmp_path / "own")
    assert (ended.kind, ended.notes("phase")) == ("verified", ["guess", "work", "prove", "test"])
