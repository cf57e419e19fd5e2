"""What tests that kill a run share: the provider that outlives it, the kill, and what a journal says of the money."""

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


def killed(machine: Machine, arguments: list[str], seconds: float) -> bool:
    """Start the command and kill -9 it after so many seconds; whether it was still alive."""
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


def begun(directory: Path) -> bool:
    """Whether there is something to resume: the run's first record."""
    return (directory / "journal.jsonl").exists() and read(directory).run is not None


def account(directory: Path) -> dict[str, Any]:
    """What the journal says about replies and money."""
    records = read(directory).records
    holds = {record.id: record for record in records if isinstance(record, Hold)}
    settles = [record for record in records if isinstance(record, Settle)]
    replies = [record for record in records if isinstance(record, Reply)]
    assert len({record.hold for record in settles}) == len(settles), "a request was settled twice"
    assert len({(reply.branch, reply.ask) for reply in replies}) == len(replies), "a recorded reply was asked again"
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
    """The endpoint in a process of its own, which outlives the runs that are killed."""

    url: str
    log: Path

    @property
    def seen(self) -> int:
        """How many requests came so far."""
        return self.log.read_bytes().count(b"\n")

    @property
    def requests(self) -> list[Request]:
        lines = self.log.read_text("utf-8").splitlines()
        sent = [json.loads(line) for line in lines]
        return [Request("POST", one["path"], {}, body=one["body"], at=one["at"]) for one in sent]


@contextmanager
def provider(machine: Machine, lines: list[dict[str, Any]]) -> Iterator[Provider]:
    """A provider with the whole script ahead of it, in the user's config as `MODEL`."""
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
