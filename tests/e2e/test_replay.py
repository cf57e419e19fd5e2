"""`swe-agent replay RUN` as a user types it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import IMAGE
from tests.e2e.conftest import TEST_CORE, Machine, answer, call

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
NOISE = call("shell", command="date; pwd; mktemp; echo pid $$; ls -l calc; python3 -c 'print(object())'")


def solved(machine: Machine, calculator: Path, issue_file: str) -> str:
    script = machine.script(
        answer("First a test.", ADD_TEST, call("run_tests", nodes=["tests.test_core"]), n=1),
        answer("Look.", NOISE, call("view", path="calc/core.py"), call("shell", command="cd calc && (exit 3)"), n=2),
        answer("Plus.", FIX, call("run_tests"), call("shell", command="pwd"), call("submit", summary="Plus"), n=3),
    )
    where = ("--repo", str(calculator), "--issue-file", issue_file, "--model", script)
    done = machine.json("fix", *where, "--test", "python3 -m unittest discover")
    assert done["exit"] == 0, done
    return done["run"]


@pytest.mark.slow
def test_run_is_acted_again_without_its_model_and_its_repository(machine, calculator, issue_file) -> None:
    run = solved(machine, calculator, issue_file)
    for script in machine.home.glob("script-*"):
        script.unlink()
    shutil.rmtree(calculator)
    done = machine.json("replay", run)
    assert (done["returncode"], done["exit"], done["first"], done["texts"]) == (0, 0, None, [])
    assert done["same"] == done["steps"]
    assert "is missing" in done["notes"][0]
    listed = machine.json("runs")["runs"]
    assert {line["run"]: line["ended"] for line in listed} == {run: "verified", done["run"]: "replayed"}
    assert next(line["dollars"] for line in listed if line["run"] == done["run"]) == 0
    assert not (Path(done["directory"]) / "base").exists()
    words = machine.run("replay", run[:-1], "--plain")
    assert "The same:" in words.stdout
    wrong = machine.run("replay", "nothing")
    assert (wrong.returncode, wrong.stdout) == (2, "")


@pytest.mark.slow
@pytest.mark.docker
def test_in_container(machine, calculator, issue_file) -> None:
    machine.workspace = "docker"
    run = solved(machine, calculator, issue_file)
    done = machine.json("replay", run)
    assert (done["returncode"], done["first"], done["texts"]) == (0, None, [])
    elsewhere = machine.json("replay", run, "--workspace", "local")
    assert (elsewhere["returncode"], elsewhere["first"]) == (0, None)
    named = machine.json("replay", run, "--image", IMAGE)
    assert named["returncode"] == 0
