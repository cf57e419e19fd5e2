"""Two processes on one run: one of them works, the other says that it has to wait, and the run stays complete."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import ISSUE, TEST_CORE, Machine, answer, call
from tests.e2e.kill_runner import account
from trajectories.journal import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
PATIENCE = 60.0
"""Seconds to wait for a process; only a failing test waits this long."""


class Bench:
    """A run in a process of its own, which waits in its second step until `go` is called."""

    def __init__(self, machine: Machine, repository: Path) -> None:
        self.machine, self.repository = machine, repository
        self._started, self._go = machine.home / "started", machine.home / "go"
        self.wait = f"echo $$ >> {self._started}; until [ -e {self._go} ]; do sleep 0.05; done"
        self.model = machine.script(
            answer("Look.", call("view", path="calc/core.py"), branch="main", n=1),
            answer("Fix.", FIX, call("shell", command=self.wait), branch="main", n=2),
            answer("Test.", ADD_TEST, call("submit"), branch="main", n=3),
            answer("Done.", branch="main", n=4),
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.machine.command(*arguments), env=self.machine.environment, cwd=self.repository, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def start_fix(self) -> tuple[subprocess.Popen[str], str]:
        """Start a run; return its process and name when it waits in its second step."""
        test = ("--test", "python3 -m unittest discover")
        process = self.start("fix", "--text", ISSUE, "--model", self.model, "--strategy", "react", *test)
        self.wait_for(lambda: self.waiting == 1)
        return process, self.machine.runs()[0].name

    @property
    def waiting(self) -> int:
        """The number of processes that have reached the second step."""
        return self._started.read_text().count("\n") if self._started.exists() else 0

    def go(self) -> None:
        self._go.touch()

    def wait_for(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    def check_refused(self, ended: subprocess.CompletedProcess[str], code: int = 75) -> None:
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        if code == 75:
            assert (ended.stdout + ended.stderr).count("is working on the run") == 1, ended.stderr

    def check_complete(self, run: str, replies: int = 3) -> None:
        """Check that the proof of a run is complete, and has each reply and settlement once."""
        directory = self.machine.home / "state" / "runs" / run
        trajectory = read(directory)
        assert trajectory.exit is not None
        assert trajectory.exit.kind == "plausible"
        assert len(account(directory)["replies"]) == replies


@pytest.fixture
def bench(machine: Machine, calculator: Path) -> Bench:
    return Bench(machine, calculator)


def test_run_in_use_is_left_alone_by_every_command(bench: Bench) -> None:
    process, run = bench.start_fix()
    with process:
        for arguments in (
            ("resume", run),
            ("resume", run, "--apply"),
            ("--resume", "-p", "And now?", run, "--model", bench.model),
            ("-c", "-p", "And now?", "--model", bench.model),
        ):
            bench.check_refused(bench.machine.run(*arguments, cwd=bench.repository))
        named = bench.machine.run("gc", run)
        assert named.returncode == 75, named.stdout + named.stderr
        kept = bench.machine.json("gc", "--keep", "0")
        assert (kept["returncode"], kept["removed"]) == (0, [])
        for arguments in (("show", run), ("runs",), ("export", run, "--format", "chat", "--out", "/dev/null")):
            bench.check_refused(bench.machine.run(*arguments), code=0)
        bench.go()
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 6, errors
    bench.check_complete(run)


def test_fork_of_a_run_in_use_is_a_run_of_its_own(bench: Bench) -> None:
    process, run = bench.start_fix()
    with process, bench.start("fork", f"{run}@2") as fork:
        bench.wait_for(lambda: bench.waiting == 2 or fork.poll() is not None)
        assert fork.poll() is None, fork.communicate()
        bench.go()
        for each in (process, fork):
            _, errors = each.communicate(timeout=PATIENCE)
            assert each.returncode == 6, errors
    for made in bench.machine.runs():
        bench.check_complete(made.name)
    assert len(bench.machine.runs()) == 2


@pytest.mark.parametrize("count", [2, 4])
def test_only_one_of_several_processes_resumes_a_killed_run(bench: Bench, count: int) -> None:
    process, run = bench.start_fix()
    process.kill()
    process.communicate()
    resuming = [bench.start("resume", run) for _ in range(count)]
    bench.wait_for(lambda: sum(each.poll() is not None for each in resuming) == count - 1)
    bench.go()
    outputs = [each.communicate(timeout=PATIENCE) for each in resuming]
    assert sorted(each.returncode for each in resuming) == [6, *[75] * (count - 1)], outputs
    assert all("Traceback" not in errors for _, errors in outputs)
    bench.check_complete(run)


def test_run_of_a_session_is_not_resumed_meanwhile(bench: Bench) -> None:
    model = bench.machine.script(answer("It subtracts.", n=1), answer("Yes.", n=2))
    with bench.start("--plain", "--model", model) as session:
        assert session.stdin
        session.stdin.write(f"What does add do?\n!{bench.wait}\nSure?\n")
        session.stdin.close()
        session.stdin = None
        bench.wait_for(lambda: bench.waiting == 1)
        (run,) = [each.name for each in bench.machine.runs()]
        bench.check_refused(bench.machine.run("resume", run))
        bench.check_refused(bench.machine.run("-c", "-p", "More", "--model", model, cwd=bench.repository))
        assert bench.machine.run("gc", run).returncode == 75
        bench.go()
        answers, errors = session.communicate(timeout=PATIENCE)
        assert (session.returncode, "Yes." in answers) == (0, True), errors
    directory = bench.machine.runs()[0]
    assert len(account(directory)["replies"]) == 2
    assert bench.machine.run("show", run).returncode == 0
