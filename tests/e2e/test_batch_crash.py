"""kill -9 of a batch's driver at random moments: nothing is lost, nothing is done, or paid for, twice."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.batch_setup import ADD_TEST, FIX, Batcher
from tests.e2e.conftest import Machine
from tests.e2e.kill_runner import MODEL, Provider, account, provider
from tests.endpoint import Request
from tests.sampling import SEED
from trajectories.journal import read
from trajectories.records import Hold, Reply, Settle

INSTANCES = 12
KILLS = 3
SLOW = 0.02


def answer(turns: int, *actions: dict[str, Any]) -> dict[str, Any]:
    called = [(action["tool"], action["arguments"]) for action in actions]
    usage = {"input": 1000 + 100 * turns, "output": 50}
    return {"turns": turns, "answer": {"text": "So.", "actions": called, "usage": usage, "slow": SLOW}}


SCRIPT = [
    answer(0, {"tool": "view", "arguments": {"path": "calc/core.py"}}),
    answer(1, ADD_TEST, FIX),
    answer(2, {"tool": "submit", "arguments": {}}),
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_driver_killed_at_random_moments(machine: Machine, tmp_path: Path) -> None:
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    batcher = Batcher(machine, tmp_path, count=INSTANCES, repositories=3)
    arguments = batcher.arguments(MODEL, "--workers", 3, "--total", INSTANCES)
    chance = random.Random(SEED)
    with provider(machine, SCRIPT) as asked:
        for number in range(KILLS):
            until = (number + chance.random()) * 3 * INSTANCES / KILLS
            _killed(machine, arguments, asked, until, chance.uniform(0, 0.3))
        told = machine.json(*arguments)
        assert (told["returncode"], told["exits"]) == (0, {"verified": INSTANCES}), told
        _check(batcher, told, asked.requests)


def _killed(machine: Machine, arguments: list[str], asked: Provider, until: float, seconds: float) -> None:
    """Start the batch; kill it, and all that it started, a while after the endpoint has seen so many requests."""
    process = subprocess.Popen(
        machine.command(*arguments), env=machine.environment, cwd=machine.home, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 60
    while asked.seen < until and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check(batcher: Batcher, told: dict[str, Any], requests: list[Request]) -> None:
    ids = [f"people__calc-{number}" for number in range(INSTANCES)]
    assert sorted(one["instance_id"] for one in batcher.predictions()) == sorted(ids)
    assert sorted(json.loads((batcher.out / "preds.json").read_text())) == sorted(ids)
    assert all("return a + b" in one["model_patch"] for one in batcher.predictions())
    results = {one["run"]: one for one in batcher.results()}
    assert sorted(results) == sorted(ids)
    assert len(batcher.results()) == INSTANCES
    folders = sorted((batcher.out / "runs").iterdir())
    assert [folder.name for folder in folders] == sorted(ids), "no run was begun beside another"
    for folder in folders:
        money = account(folder)
        assert results[folder.name]["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)
        assert results[folder.name]["calls"] == money["calls"]
    assert told["dollars"] == pytest.approx(sum(one["dollars"] for one in results.values()), abs=1e-12)
    _check_requests(batcher.out / "runs", requests)


def _check_requests(runs: Path, requests: list[Request]) -> None:
    """What the endpoint saw was held before, what it answered is settled, and nothing on the record is asked again."""
    sent: dict[str, list[Request]] = {}
    for request in requests:
        (number,) = set(re.findall(r"This is issue (\d+)\.", json.dumps(request.body["messages"])))
        sent.setdefault(f"people__calc-{number}", []).append(request)
    for name, mine in sent.items():
        records = read(runs / name).records
        holds = [record for record in records if isinstance(record, Hold)]
        assert Counter(request.turns + 1 for request in mine) <= Counter(hold.ask for hold in holds)
        assert sum(isinstance(record, Settle) for record in records) <= len(mine)
        for request in mine:
            assert any(hold.at <= request.at for hold in holds if hold.ask == request.turns + 1)
        for reply in (record for record in records if isinstance(record, Reply)):
            assert all(request.at < reply.at for request in mine if request.turns + 1 == reply.ask)
