"""The container disappears during a run: the run ends with code 5 and `resume` continues it in a new container."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import TEST_CORE, Machine, answer, call

pytestmark = pytest.mark.docker

RIGHT = call("edit", path="calc/core.py", old="return a - b", new="return a + b")


def containers_of(pid: int) -> list[str]:
    """The containers that a process has started."""
    list_command = ["docker", "ps", "-q", "--no-trunc", "--filter", "label=swe-agent=1"]
    ids = subprocess.run(list_command, capture_output=True, text=True, check=True).stdout.split()
    inspect = ["docker", "inspect", "-f", '{{.Id}} {{index .Config.Labels "swe-agent.owner"}}', *ids]
    lines = subprocess.run(inspect, capture_output=True, text=True, check=False).stdout.splitlines() if ids else []
    return [line.split()[0] for line in lines if f":{pid}:" in line]


def container_with_marker(pid: int) -> str:
    """Wait for the container in which the run's command has started."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for container in containers_of(pid):
            check_file = ["docker", "exec", container, "test", "-e", "/workspace/scratch/started"]
            if subprocess.run(check_file, capture_output=True).returncode == 0:
                return container
        time.sleep(0.2)
    raise AssertionError("the command did not start")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["kill"], ["rm", "-f"]], ids=" ".join)
def test_run_with_lost_container_is_resumed_in_new_one(
    machine: Machine, calculator: Path, issue_file: str, command: list[str]
) -> None:
    machine.workspace = "docker"
    script = machine.script(
        answer("A test.", call("edit", path="tests/test_core.py", old="", new=TEST_CORE), n=1),
        answer("Wait.", RIGHT, call("shell", command="touch /workspace/scratch/started; sleep 6"), n=2),
        answer("Done.", call("submit"), n=3),
    )
    fix = ["fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", script, "--strategy", "react"]
    arguments = [*fix, "--test", "python3 -m unittest discover", "--json"]
    process = subprocess.Popen(
        machine.command(*arguments),
        env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    container = container_with_marker(process.pid)
    subprocess.run(["docker", *command, container], check=True, capture_output=True)
    stdout, stderr = process.communicate(timeout=100)
    stopped = json.loads(stdout)
    assert (process.returncode, stopped["exit"]) == (5, 5), stderr
    assert "resume" in stopped["error"]["fix"]
    resumed = machine.json("resume", stopped["run"])
    codes = resumed["returncode"], resumed["exit"]
    assert (codes, resumed["verdict"]["kind"]) == ((6, 6), "plausible"), resumed["stderr"]
    assert (stopped["steps"], resumed["steps"]) == (2, 5), "opening, three replies, proof: none repeated, none missing"
    list_lost = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"id={container}"]
    assert subprocess.run(list_lost, capture_output=True, text=True).stdout == "", "the lost container is removed"
