"""A clock that is set back or forward while a run is worked on: no time limit is used up, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import ISSUE, TEST_CORE, Machine, answer, call
from tests.e2e.kill_runner import account
from trajectories.journal import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DAY, YEAR = 86_400, 31_536_000
CLOCK = """
import time
from pathlib import Path

now, file = time.time, Path({file!r})
time.time = lambda: now() + float(file.read_text())
"""
"""A module that Python imports at its start: the time is that of the machine plus the seconds in a file."""


@pytest.mark.parametrize("jump", [-DAY, DAY, -YEAR, YEAR])
def test_run_is_resumed_within_its_time_limit(machine: Machine, calculator: Path, jump: int) -> None:
    clock, started, go = (machine.home / name for name in ("clock", "started", "go"))
    clock.write_text("0")
    (machine.home / "site").mkdir()
    (machine.home / "site" / "sitecustomize.py").write_text(CLOCK.format(file=str(clock)))
    machine.extra["PYTHONPATH"] = str(machine.home / "site")
    wait = f"echo {jump} > {clock}; touch {started}; until [ -e {go} ]; do sleep 0.05; done"
    fix = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
    model = machine.script(
        answer("Fix.", fix, branch="main", n=1),
        answer("Set the clock.", call("shell", command=f"echo {jump} > {clock}"), branch="main", n=2),
        answer("Wait.", call("shell", command=wait), branch="main", n=3),
        answer("Test.", call("edit", path="tests/test_core.py", old="", new=TEST_CORE), branch="main", n=4),
        answer("Done.", call("submit"), branch="main", n=5),
    )
    place = ("--repo", str(calculator), "--text", ISSUE, "--test", "python3 -m unittest discover")
    command = machine.command("fix", *place, "--model", model, "--strategy", "react", "--max-time", "600")
    with subprocess.Popen(command, env=machine.environment, cwd=machine.home, stderr=subprocess.DEVNULL) as process:
        while not started.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    go.touch()
    (run,) = machine.runs()
    before = account(run)["replies"]
    resumed = machine.json("resume", run.name)
    assert (resumed["exit"], resumed["verdict"]["kind"]) == (6, "plausible"), resumed["stderr"]
    assert account(run)["replies"][: len(before)] == before
    assert 0 < read(run).live_seconds() < 600
    assert json.loads(machine.run("runs", "--json").stdout)["runs"]
