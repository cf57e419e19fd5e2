"""`swe-agent fix --locator`: the places that a model chose replace those of the ranking in the first request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Machine, answer, calculator, call, issue_file, machine
from trajectories.journal import read
from trajectories.records import Reply
from trajectories.trajectory import Trajectory

__all__ = ["calculator", "issue_file", "machine"]
pytestmark = pytest.mark.slow
CODER = answer(
    "Fixed.",
    call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
    call("submit"),
)


def fix(machine: Machine, calculator: Path, issue_file: str, *options: str) -> tuple[dict, Trajectory]:
    model = machine.script(CODER)
    result = machine.json("fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", model, *options)
    return result, read(Path(result["directory"]))


def opening(trajectory: Trajectory) -> str:
    return trajectory.steps["main"][0].observations[0].text


def test_places_of_the_locator_come_first(machine: Machine, calculator: Path, issue_file: str) -> None:
    locator = machine.script({"branch": "main/locator", "reply": {"text": "calc/text.py::shout: shouts\nx.py: no"}})
    result, trajectory = fix(machine, calculator, issue_file, "--locator", locator)
    replies = [record.branch for record in trajectory.records if isinstance(record, Reply)]
    assert replies[0] == "main/locator"
    assert replies.count("main/locator") == 1
    assert trajectory.replies["main/locator", 1].model == locator
    assert "- calc/text.py:1 shout\n- calc/core.py:1 add" in opening(trajectory)
    assert trajectory.turns[0].models["locator"] == locator
    replayed = machine.run("replay", result["run"])
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_failed_locator_leaves_the_ranking(machine: Machine, calculator: Path, issue_file: str) -> None:
    result, trajectory = fix(machine, calculator, issue_file, "--locator", machine.script())
    assert "The places are ranked without a model" in result["stderr"]
    assert "not certain):\n- calc/core.py:1 add" in opening(trajectory)
    assert next(record.branch for record in trajectory.records if isinstance(record, Reply)) == "main"


def test_failed_locator_is_not_asked_again(machine: Machine, calculator: Path, issue_file: str) -> None:
    locator = machine.script()
    result, _ = fix(machine, calculator, issue_file, "--locator", locator)
    line = {"branch": "main/locator", "reply": {"text": "calc/text.py::shout: shouts"}}
    Path(locator.removeprefix("scripted:")).write_text(json.dumps(line) + "\n")
    journal = Path(result["directory"]) / "journal.jsonl"
    records = journal.read_bytes().splitlines(keepends=True)
    [end] = [number for number, record in enumerate(records) if b'"type":"exit"' in record]
    journal.write_bytes(b"".join(records[:end]))  # the run was killed before its end
    resumed = machine.json("resume", result["run"])
    assert resumed["returncode"] == result["returncode"]
    replied = {record.branch for record in read(Path(result["directory"])).records if isinstance(record, Reply)}
    assert "main/locator" not in replied, resumed
    assert "ranked without a model" not in resumed["stderr"]


def test_without_a_locator_none_is_asked(machine: Machine, calculator: Path, issue_file: str) -> None:
    _, trajectory = fix(machine, calculator, issue_file)
    assert "main/locator" not in trajectory.steps
    assert "locator" not in trajectory.turns[0].models


def test_locator_needs_a_model_that_makes_the_fix(machine: Machine, calculator: Path, issue_file: str) -> None:
    options = ["--repo", str(calculator), "--issue-file", issue_file, "--locator", machine.script()]
    result = machine.json("fix", *options)
    assert (result["returncode"], result["error"]["message"]) == (3, "--locator needs a model that makes the fix.")
