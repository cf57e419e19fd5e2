"""The disk of the state folder is full: the run stops with one sentence, and continues when there is space again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ISSUE, TEST_CORE, Machine, answer, call
from tests.e2e.kill_runner import account
from tests.e2e.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")


@pytest.fixture
def disk(machine: Machine) -> Iterator[SmallDisk]:
    with small_disk(machine.home / "state", "6m") as disk:
        yield disk


class User:
    """A user whose state is on a small disk, and a model that fixes the calculator; in its second request, it runs a
    command."""

    def __init__(self, machine: Machine, disk: SmallDisk, repository: Path) -> None:
        self.machine, self.disk, self.repository = machine, disk, repository

    def fix(self, command: str) -> subprocess.CompletedProcess[str]:
        model = self.machine.script(
            answer("Look.", call("view", path="calc/core.py"), branch="main", n=1),
            answer("Fix.", FIX, call("shell", command=command), branch="main", n=2),
            answer("Test.", call("edit", path="tests/test_core.py", old="", new=TEST_CORE), branch="main", n=3),
            answer("Done.", call("submit"), branch="main", n=4),
        )
        place = ("--repo", str(self.repository), "--text", ISSUE, "--test", "python3 -m unittest discover")
        return self.run("fix", *place, "--model", model, "--strategy", "react")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.disk.run(self.machine.command(*arguments), self.machine.environment, self.machine.home)

    @property
    def runs(self) -> list[Path]:
        return sorted((self.disk.seen / "runs").glob("*"))

    def once(self, command: str) -> str:
        """Return a shell command that runs `command` the first time only, since a resumed run repeats the action."""
        return f"if mkdir {self.machine.home}/done; then {command}; fi"


@pytest.fixture
def user(machine: Machine, disk: SmallDisk, calculator: Path) -> User:
    return User(machine, disk, calculator)


def check_error(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 5, ended.stdout + ended.stderr
    output = ended.stdout + ended.stderr
    (sentence,) = [line for line in output.splitlines() if "No space left on device" in line or "Out of disk" in line]
    assert "Free" in output.partition(sentence[:20])[2]
    assert "Traceback" not in output


@pytest.mark.parametrize("free", [0, 40])
def test_run_on_a_full_disk_is_refused_or_can_be_resumed(user: User, free: int) -> None:
    user.disk.fill(free)
    check_error(user.fix("true"))
    user.disk.free()
    for run in user.runs:
        resumed = user.run("resume", run.name, "--json")
        assert json.loads(resumed.stdout)["verdict"]["kind"] == "plausible", resumed.stderr


@pytest.mark.parametrize(
    ("free", "added"),
    [(0, 0), (4, 0), (28, 0), (52, 0), (80, 0), (900, 1000)],
    ids=str,
)
def test_run_that_fills_the_disk_is_resumed(user: User, free: int, added: int) -> None:
    """The disk is full at a step, at a tree with a large file, at the proof or at the patch."""
    add = f"head -c {added}K /dev/urandom > added.bin; " if added else ""
    ended = user.fix(add + user.once(user.disk.filling(free)))
    check_error(ended)
    (run,) = user.runs
    before = account(run)
    assert user.run("show", run.name).returncode == 0
    assert len((run / "journal.jsonl").read_bytes().splitlines()) > 5
    check_error(user.run("resume", run.name))
    user.disk.free()
    resumed = user.run("resume", run.name, "--json")
    assert resumed.returncode == 6, resumed.stderr
    result = json.loads(resumed.stdout)
    assert result["verdict"]["kind"] == "plausible"
    assert "return a + b" in result["patch"]
    assert ("added.bin" in result["patch"]) == bool(added)
    assert account(run)["replies"][: len(before["replies"])] == before["replies"]
    assert len(account(run)["replies"]) == 4
