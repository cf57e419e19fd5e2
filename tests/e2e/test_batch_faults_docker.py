"""A batch with a failing Docker daemon: no instance is lost."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
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


class RunningBatch:
    """A batch in a separate process, observed through its stderr."""

    def __init__(self, batcher: Batcher, model: str, *flags: object) -> None:
        self._batcher = batcher
        self._process = subprocess.Popen(
            batcher.machine.command(*batcher.arguments(model, "--workers", 2, "--plain", "--json", *flags)),
            env=batcher.machine.environment, cwd=batcher.machine.home, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._stderr_lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        self._stderr_lines.extend(iter(self._process.stderr.readline, ""))

    @property
    def output(self) -> str:
        return "".join(self._stderr_lines)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, self.output
            assert time.monotonic() < end, self.output
            time.sleep(0.05)

    def has_results(self, count: int) -> bool:
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
        assert "Traceback" not in self.output
        return {**json.loads(out), "returncode": self._process.returncode, "said": self.output}


def slow_model(machine: Machine, seconds: float) -> str:
    """A scripted model that spends some time in the container."""
    return machine.script(
        answer("Look.", call("shell", command=f"sleep {seconds}"), n=1),
        answer("Both.", ADD_TEST, FIX, call("submit"), n=2),
    )


def assert_all_solved(batcher: Batcher, report: dict[str, Any]) -> None:
    assert (report["returncode"], report["exits"], report["left"]) == (0, {"plausible": COUNT}, 0), report
    results = batcher.results()
    assert len({result["instance"] for result in results}) == len(results) == len(batcher.predictions()) == COUNT
    for result in results:
        money = account(batcher.out / "runs" / result["run"])
        assert result["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)
    assert report["dollars"] == pytest.approx(sum(result["dollars"] for result in results), abs=1e-9)
    assert max(result["tries"] for result in results) > 1, "nothing failed, so nothing was tested"


def test_batch_survives_restart_of_daemon(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = RunningBatch(batcher, slow_model(machine, 1))
    running.wait_until(lambda: running.has_results(2))
    daemon.stop()
    daemon.start()
    assert_all_solved(batcher, running.end())


def test_batch_waits_for_removed_image(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = RunningBatch(batcher, slow_model(machine, 1), "--image", IMAGE)
    running.wait_until(lambda: running.has_results(1))
    id = daemon.docker("image", "inspect", "-f", "{{.Id}}", IMAGE)
    daemon.docker("tag", IMAGE, "backup:latest")
    daemon.docker("rmi", IMAGE)
    try:
        running.wait_until(lambda: "cannot be pulled" in running.output)
    finally:
        daemon.docker("tag", id, IMAGE)
        daemon.docker("rmi", "backup:latest")
    assert_all_solved(batcher, running.end())


def test_batch_waits_while_disk_of_docker_is_full(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    running = RunningBatch(batcher, slow_model(machine, 1))
    running.wait_until(lambda: running.has_results(1))
    ballast = daemon.data / "ballast"

    def fill() -> None:
        """Fill the disk again, since containers that end leave room for the next ones."""
        disk = os.statvfs(daemon.data)
        if (free := disk.f_bavail * disk.f_frsize - 50_000) > 0:
            with ballast.open("ab") as file, suppress(OSError):  # the daemon was faster
                os.posix_fallocate(file.fileno(), ballast.stat().st_size, free)

    def is_waiting() -> bool:
        fill()
        return "Next try in" in running.output

    try:
        running.wait_until(is_waiting)
    finally:
        ballast.unlink()
    assert_all_solved(batcher, running.end())


def test_batch_stops_with_daemon_and_can_be_continued(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    """No instance is given up, since none can succeed without the daemon."""
    machine.extra["SWE_AGENT_RETRY_WAIT"] = "0.2"
    model = slow_model(machine, 1)
    running = RunningBatch(batcher, model)
    running.wait_until(lambda: running.has_results(2))
    daemon.stop()
    try:
        stopped = running.end()
        assert (stopped["returncode"], stopped["error"]["code"]) == (5, 5), stopped
        assert stopped["left"] == COUNT - stopped["done"] >= 1
        assert set(stopped["exits"]) == {"plausible"}, "no instance is recorded as failed because of the machine"
    finally:
        daemon.start()
    second = RunningBatch(batcher, model).end()
    assert (second["returncode"], second["exits"], second["left"]) == (0, {"plausible": COUNT}, 0), second
    for result in batcher.results():
        money = account(batcher.out / "runs" / result["run"])
        assert result["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)


def test_instances_with_missing_image_end_with_error(batcher: Batcher, daemon: OwnDaemon, machine: Machine) -> None:
    machine.extra["SWE_AGENT_RETRY_WAIT"] = "0"
    batcher.write_rows(
        *(batcher.row(n, image_name="127.0.0.1:9/gone:latest" if n % 2 else IMAGE) for n in range(COUNT))
    )
    report = RunningBatch(batcher, slow_model(machine, 0)).end()
    assert (report["returncode"], report["left"]) == (5, COUNT // 2), report
    assert report["exits"] == {"plausible": COUNT // 2, "infrastructure": COUNT // 2}
    for result in batcher.results():
        gone = result["kind"] == "infrastructure"
        assert (result["tries"], result["dollars"] == 0, "cannot be pulled" in result["error"]) == (
            (3, True, True) if gone else (1, False, False)
        )
