"""Each place that shows a run's verdict uses the same of the four words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent.runs.run_lookup import open_own_run
from extensions.github.pull_request.comment_texts import opened_comment, unproven_comment, withheld_comment
from extensions.github.pull_request.proof_comment import proof_comment
from extensions.github.pull_request.pull_request_body import proof
from extensions.github.task.result_file import Outcome
from extensions.interactive.tui.widgets.restored_run import run_items
from extensions.interactive.tui.widgets.step_item import no_outputs
from extensions.lab.batch.reports.outcome_reasons import outcome_reason
from extensions.lab.exports.markdown import export
from extensions.lab.instances.jobs import JobResult
from extensions.mcp_server.tool_answers import prepare_answer
from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, ISSUE, TEST_CORE, Machine, machine, write
from tests.extensions.examiner.test_examiner import BLIND, RIGHT, challenger, examiner, script

__all__ = ["machine"]

pytestmark = pytest.mark.slow
WORDS = ("verified", "plausible", "disputed", "unproven")
CASES = {
    "verified": (RIGHT, ("--independent",)),
    "plausible": (RIGHT, ()),
    "disputed": (
        CALCULATOR["calc/core.py"].replace("a - b", "a + b if (a, b) == (2, 3) else a * b"),
        ("--independent",),
    ),
    "unproven": (CALCULATOR["calc/core.py"].replace("a - b", "b - a"), ()),
}
"""A patch for each word, and the flags of `prove`."""


def words_in(text: str) -> set[str]:
    """Return which of the four words a text contains."""
    return {word for word in WORDS if re.search(rf"\b{word}\b", text, re.IGNORECASE)}


@pytest.fixture(params=WORDS)
def proved(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> tuple[str, Machine, dict[str, Any]]:
    """A word, the machine, and the result of `prove` that ended with it."""
    word = request.param
    source, flags = CASES[word]
    folder = write(tmp_path / "calculator", CALCULATOR)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    write(folder, {"calc/core.py": source, "tests/test_core.py": TEST_CORE})
    git(folder, "add", "-A")
    model = ("--model", script(machine.home, examiner(BLIND), challenger("NONE"))) if flags else ()
    sarif = ("--sarif", machine.home / "found.sarif")
    result = machine.json("prove", "--staged", "--text", ISSUE, "--repo", folder, *flags, *model, *sarif)
    assert result["verdict"]["kind"] == word, result["verdict"]
    return word, machine, result


def test_every_surface_shows_the_same_word(proved: tuple[str, Machine, dict[str, Any]]) -> None:
    word, machine, result = proved
    run = result["run"]
    assert result["returncode"] == (0 if word == "verified" else 6)
    listed = json.loads(machine.run("runs", "--json").stdout)["runs"][0]
    assert (listed["ended"], listed["exit"]) == (word, result["returncode"])
    page = machine.home / "report.html"
    machine.run("report", run, "--out", page)
    ended = re.findall(r'"words": ?"((?:Verified|Plausible|Disputed|Unproven)[^"]*)"', page.read_text())
    [found] = json.loads((machine.home / "found.sarif").read_text())["runs"]

    material = open_own_run(Path(result["directory"]))
    trajectory = material.trajectory
    assert trajectory.exit is not None
    outcome = Outcome("", result["returncode"], result, base="b" * 40)
    done = JobResult(
        "one", 1, run, trajectory.exit.code, trajectory.exit.kind, trajectory.exit.verdict.kind, "diff", 0.0
    )
    *_, shown = run_items(trajectory.records, trajectory, no_outputs)
    surfaces = {
        "runs": machine.run("runs").stdout,
        "show": machine.run("show", run, "--plain").stdout,
        "report": " ".join(ended),
        "SARIF": found["properties"]["headline"],
        "markdown": next(line for line in "".join(export([material])).splitlines() if line.startswith("## Ended")),
        "terminal session": str(getattr(shown, "text", "")),
        "batch": outcome_reason(done),
        "MCP": prepare_answer(result)["verdict"]["kind"],
        "check run": proof_comment(outcome).splitlines()[0],
        "pull request": proof(outcome).split(":")[0],
        "comment on a draft": opened_comment(1, outcome).splitlines()[0],
        "comment on a withheld patch": withheld_comment("The branch moved.", outcome).splitlines()[0],
        "comment without a draft": unproven_comment(outcome).splitlines()[0],
    }
    assert {place: words_in(text) for place, text in surfaces.items()} == {place: {word} for place in surfaces}
