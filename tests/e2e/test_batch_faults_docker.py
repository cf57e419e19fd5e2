"""A daemon at its worst, one of our own: no instance of a batch is lost."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import IMAGE
from tests.e2e.batch_setup import ADD_TEST, FIX, Batcher
from tests.e2e.conftest import Machine, answer, call
from tests.e2e.dockerd import OwnDaemon
from tests.e2e.kill_runner import account

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(400)]

COUNT = 6


@pytest.fixture(scope="module")
def daemon() -> Iterator[OwnDaemon]:
    daemon = OwnDaemon(900)
    yield daemon
    daemon.close()


@pytest.fixture
def batcher(daemon: OwnDaemon, machine: Machine, tmp_path) -> Batcher:
    machine.workspace = "docker"
    machine.extra |= {"DOCKER_HOST": daemon.address, "SWE_AGENT_RETRY_WAIT": "2"}
    return Batcher(machine, tmp_path, count=COUNT)


class Running:
    """A batch in a process of its own, watched by what it says."""

    def __init__(self, batcher: Batcher, model: str, *flags: object) -> None:
        self._batcher = batcher
        self._process = subprocess.Popen(
            batcher.machine.command(*batcher.arguments(model, "--workers", 2, "--plain", "--json", *flags)),
            env=batcher.machine.environment, cwd=batcher.machine.home, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        self._said.extend(iter(self._process.stderr.readline, ""))

    @property
    def said(self) -> str:
        return "".join(self._said)

    def until(self, seen: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not seen():
            assert self._process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def done(self, count: int) -> bool:
        file = self._batcher.out / "results.jsonl"
        return file.exists() and file.read_text().count("\n") >= count

    def end(self) -> dict[str, Any]:
        assert self._process.stdout
        out = self._process.stdout.read()
        self._process.wait(120)
        self._reader.join(10)
        self._process.stdout.close()
        assert self._process.stderr
        self._process.stderr.close()
        assert "Traceback" not in self.said
        return {**json.loads(out), "returncode": self._process.returncode, "said": self.said}


def solving(machine: Machine, seconds: float) -> str:
    """Each run is a while in its container."""
    return machine.script(
        answer("Look.", call("shell", command=f"sleep {seconds}"), n=1),
        answer("Both.", ADD_TEST, FIX, call("submit"), n=2),
    )


def all_solved(batcher: Batcher, told: dict[str, Any]) -> None:
    assert (told["returncode"], told["exits"], told["left"]) == (0, {"verified": COUNT}, 0), told
    results = batcher.results()
    assert len({result["instance"] for result in results}) == len(results) == len(batcher.predictions()) == COUNT
    for result in results:
        money = account(batcher.out / "runs" / result["run"])
        assert result["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)
    assert told["dollars"] == pytest.approx(sum(result["dollars"] for result in results), abs=1e-9)
    assert max(result["tries"] for result in results) > 1, "nothing went wrong, so nothing was tested"


def test_daemon_is_restarted_midway(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = Running(batcher, solving(machine, 1))
    running.until(lambda: running.done(2))
    daemon.stop()
    daemon.start()
    all_solved(batcher, running.end())


def test_image_is_gone_midway_and_comes_back(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = Running(batcher, solving(machine, 1), "--image", IMAGE)
    running.until(lambda: running.done(1))
    id = daemon.docker("image", "inspect", "-f", "{{.Id}}", IMAGE)
    daemon.docker("tag", IMAGE, "kept-aside:latest")
    daemon.docker("rmi", IMAGE)
    try:
        running.until(lambda: "cannot be pulled" in running.said)
    finally:
        daemon.docker("tag", id, IMAGE)
        daemon.docker("rmi", "kept-aside:latest")
    all_solved(batcher, running.end())


def test_docker_has_no_room_for_while(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = Running(batcher, solving(machine, 1))
    running.until(lambda: running.done(1))
    ballast = daemon.data / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(daemon.data).f_bavail * os.statvfs(daemon.data).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(free - 50_000, 1))
    try:
        running.until(lambda: "Next try in" in running.said)
    finally:
        ballast.unlink()
    all_solved(batcher, running.end())


def test_daemon_stops_for_good_and_batch_goes_on_another_day(
    batcher: Batcher, daemon: OwnDaemon, machine: Machine
) -> None:
    """No instance is given up for it: none would fare better."""
    machine.extra["SWE_AGENT_RETRY_WAIT"] = "0.2"
    model = solving(machine, 1)
    running = Running(batcher, model)
    running.until(lambda: running.done(2))
    daemon.stop()
    try:
        told = running.end()
        assert (told["returncode"], told["error"]["code"]) == (5, 5), told
        assert told["left"] == COUNT - told["done"] >= 1
        assert set(told["exits"]) == {"verified"}, "what is recorded is no trouble of the machine's"
    finally:
        daemon.start()
    again = Running(batcher, model).end()
    assert (again["returncode"], again["exits"], again["left"]) == (0, {"verified": COUNT}, 0), again
    for result in batcher.results():
        money = account(batcher.out / "runs" / result["run"])
        assert result["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)


def test_image_that_never_comes_back_is_what_its_instances_come_to(
    batcher: Batcher, daemon: OwnDaemon, machine: Machine
) -> None:
    machine.extra["SWE_AGENT_RETRY_WAIT"] = "0"
    batcher.rows(*(batcher.row(n, image_name="127.0.0.1:9/gone:latest" if n % 2 else IMAGE) for n in range(COUNT)))
    told = Running(batcher, solving(machine, 0)).end()
    assert (told["returncode"], told["left"]) == (5, COUNT // 2), told
    assert told["exits"] == {"verified": COUNT // 2, "infrastructure": COUNT // 2}
    for result in batcher.results():
        gone = result["kind"] == "infrastructure"
        assert (result["tries"], result["dollars"] == 0, "cannot be pulled" in result["error"]) == (
            (3, True, True) if gone else (1, False, False)
        )
