"""Helpers for tests that kill a run: a provider that survives it, the kill, and the costs in a journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Machine
from tests.endpoint import Request
from trajectories.journal import read
from trajectories.records import Hold, Reply, Settle

ROOT = Path(__file__).parents[2]
MODEL = "openai/x"


def run_and_kill(machine: Machine, arguments: list[str], seconds: float) -> bool:
    """Start the command and kill -9 it after so many seconds; return whether it was still running."""
    process = subprocess.Popen(
        machine.command(*arguments),
        env=machine.environment, cwd=machine.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def is_started(directory: Path) -> bool:
    """Whether the journal has the run's first record, so that it can be resumed."""
    return (directory / "journal.jsonl").exists() and read(directory).run is not None


def account(directory: Path) -> dict[str, Any]:
    """The replies and costs in the journal."""
    records = read(directory).records
    holds = {record.id: record for record in records if isinstance(record, Hold)}
    settles = [record for record in records if isinstance(record, Settle)]
    replies = [record for record in records if isinstance(record, Reply)]
    assert len({record.hold for record in settles}) == len(settles), "a request was settled twice"
    assert len({(reply.branch, reply.ask) for reply in replies}) == len(replies), "a recorded reply was requested again"
    assert {record.hold for record in settles} <= holds.keys()
    settled = sum(record.dollars for record in settles)
    in_flight = sum(hold.dollars for name, hold in holds.items() if name not in {record.hold for record in settles})
    return {
        "replies": [(r.branch, r.ask) for r in replies],
        "settled": settled,
        "in flight": in_flight,
        "calls": len(holds),
    }


@dataclass
class Provider:
    """The endpoint in a separate process, which survives the killed runs."""

    url: str
    log: Path

    @property
    def request_count(self) -> int:
        """The number of requests so far."""
        return self.log.read_bytes().count(b"\n")

    @property
    def requests(self) -> list[Request]:
        lines = self.log.read_text("utf-8").splitlines()
        sent = [json.loads(raw) for raw in lines]
        return [Request("POST", line["path"], {}, body=line["body"], at=line["at"]) for line in sent]


@contextmanager
def provider(machine: Machine, lines: list[dict[str, Any]]) -> Iterator[Provider]:
    """Start a provider with the whole script, configured as `MODEL`."""
    script, log = machine.home / "endpoint.jsonl", machine.home / "requests.jsonl"
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    log.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.endpoint", "--script", str(script), "--log", str(log)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout
    with process:
        url = process.stdout.readline().strip()
        (machine.home / "config.toml").write_text(
            f'[models."{MODEL}"]\napi_base = "{url}/v1"\nprice_in = 1.0\nprice_out = 5.0\nmax_output = 1000\n'
        )
        try:
            yield Provider(url, log)
        finally:
            process.kill()
