"""The container goes away while a run is in it: the run ends with 5 and `resume` goes on in a new one."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_CORE, Machine, answer, call

pytestmark = pytest.mark.docker

RIGHT = call("edit", path="calc/core.py", old="return a - b", new="return a + b")


def containers_of(pid: int) -> list[str]:
    """The containers that a process has opened."""
    asked = ["docker", "ps", "-q", "--no-trunc", "--filter", "label=swe-agent=1"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    inspect = ["docker", "inspect", "-f", '{{.Id}} {{index .Config.Labels "swe-agent.owner"}}', *found]
    told = subprocess.run(inspect, capture_output=True, text=True, check=False).stdout.splitlines() if found else []
    return [line.split()[0] for line in told if f":{pid}:" in line]


def with_marker(pid: int) -> str:
    """The container in which the run's command has begun."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for container in containers_of(pid):
            look = ["docker", "exec", container, "test", "-e", "/workspace/scratch/begun"]
            if subprocess.run(look, capture_output=True).returncode == 0:
                return container
        time.sleep(0.2)
    raise AssertionError("the command did not begin")


@pytest.mark.slow
@pytest.mark.parametrize("how", [["kill"], ["rm", "-f"]], ids=" ".join)
def test_run_goes_on_in_new_container(machine: Machine, calculator: Path, issue_file: str, how: list[str]) -> None:
    machine.workspace = "docker"
    script = machine.script(
        answer("A test.", call("edit", path="tests/test_core.py", old="", new=TEST_CORE), n=1),
        answer("Wait.", RIGHT, call("shell", command="touch /workspace/scratch/begun; sleep 6"), n=2),
        answer("Done.", call("submit"), n=3),
    )
    fix = ["fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", script, "--strategy", "react"]
    arguments = [*fix, "--test", "python3 -m unittest discover", "--json"]
    process = subprocess.Popen(
        machine.command(*arguments),
        env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    lost = with_marker(process.pid)
    subprocess.run(["docker", *how, lost], check=True, capture_output=True)
    said, told = process.communicate(timeout=100)
    done = json.loads(said)
    assert (process.returncode, done["exit"]) == (5, 5), told
    assert "resume" in done["error"]["fix"]
    again = machine.json("resume", done["run"])
    assert (again["returncode"], again["exit"], again["verdict"]["kind"]) == (0, 0, "verified"), again["stderr"]
    assert (done["steps"], again["steps"]) == (2, 5), "opening, three replies, proof: none twice, none lost"
    left = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"id={lost}"]
    assert subprocess.run(left, capture_output=True, text=True).stdout == "", "what was lost is removed"
