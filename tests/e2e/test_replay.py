"""The `swe-agent replay RUN` command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import IMAGE
from tests.e2e.conftest import TEST_CORE, Machine, answer, call

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
NOISE = call("shell", command="date; pwd; mktemp; echo pid $$; ls -l calc; python3 -c 'print(object())'")


def solve_issue(machine: Machine, calculator: Path, issue_file: str) -> str:
    script = machine.script(
        answer("First a test.", ADD_TEST, call("run_tests", nodes=["tests.test_core"]), n=1),
        answer("Look.", NOISE, call("view", path="calc/core.py"), call("shell", command="cd calc && (exit 3)"), n=2),
        answer("Plus.", FIX, call("run_tests"), call("shell", command="pwd"), call("submit", summary="Plus"), n=3),
    )
    options = ("--repo", str(calculator), "--issue-file", issue_file, "--model", script)
    result = machine.json("fix", *options, "--test", "python3 -m unittest discover")
    assert result["verdict"]["kind"] == "plausible", result
    return result["run"]


@pytest.mark.slow
def test_run_is_replayed_without_model_and_repository(machine, calculator, issue_file) -> None:
    run = solve_issue(machine, calculator, issue_file)
    for script in machine.home.glob("script-*"):
        script.unlink()
    shutil.rmtree(calculator)
    result = machine.json("replay", run)
    assert (result["returncode"], result["exit"], result["first"], result["texts"]) == (0, 0, None, [])
    assert result["same"] == result["steps"]
    assert "is missing" in result["notes"][0]
    runs = machine.json("runs")["runs"]
    assert {line["run"]: line["ended"] for line in runs} == {run: "plausible", result["run"]: "replayed"}
    assert next(line["dollars"] for line in runs if line["run"] == result["run"]) == 0
    assert not (Path(result["directory"]) / "base").exists()
    completed = machine.run("replay", run[:-1], "--plain")
    assert "Identical:" in completed.stdout
    unknown = machine.run("replay", "nothing")
    assert (unknown.returncode, unknown.stdout) == (2, "")


@pytest.mark.slow
@pytest.mark.docker
def test_run_is_replayed_in_container_locally_and_in_named_image(machine, calculator, issue_file) -> None:
    machine.workspace = "docker"
    run = solve_issue(machine, calculator, issue_file)
    result = machine.json("replay", run)
    assert (result["returncode"], result["first"], result["texts"]) == (0, None, [])
    local = machine.json("replay", run, "--workspace", "local")
    assert (local["returncode"], local["first"]) == (0, None)
    with_image = machine.json("replay", run, "--image", IMAGE)
    assert with_image["returncode"] == 0
