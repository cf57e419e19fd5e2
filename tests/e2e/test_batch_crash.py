"""kill -9 of a batch's driver at random moments: nothing is lost, and nothing is done or paid for twice."""

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
    actions_of_answer = [(action["tool"], action["arguments"]) for action in actions]
    usage = {"input": 1000 + 100 * turns, "output": 50}
    return {"turns": turns, "answer": {"text": "So.", "actions": actions_of_answer, "usage": usage, "slow": SLOW}}


SCRIPT = [
    answer(0, {"tool": "view", "arguments": {"path": "calc/core.py"}}),
    answer(1, ADD_TEST, FIX),
    answer(2, {"tool": "submit", "arguments": {}}),
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_batch_killed_at_random_moments_is_completed(machine: Machine, tmp_path: Path) -> None:
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    batcher = Batcher(machine, tmp_path, count=INSTANCES, repositories=3)
    arguments = batcher.arguments(MODEL, "--workers", 3, "--total", INSTANCES)
    rng = random.Random(SEED)
    with provider(machine, SCRIPT) as provider_process:
        for number in range(KILLS):
            until = (number + rng.random()) * 3 * INSTANCES / KILLS
            _run_and_kill(machine, arguments, provider_process, until, rng.uniform(0, 0.3))
        result = machine.json(*arguments)
        assert (result["returncode"], result["exits"]) == (0, {"plausible": INSTANCES}), result
        _check(batcher, result, provider_process.requests)


def _run_and_kill(
    machine: Machine, arguments: list[str], provider_process: Provider, until: float, seconds: float
) -> None:
    """Start the batch; kill its process group shortly after the endpoint has received so many requests."""
    process = subprocess.Popen(
        machine.command(*arguments), env=machine.environment, cwd=machine.home, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 60
    while provider_process.request_count < until and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check(batcher: Batcher, result: dict[str, Any], requests: list[Request]) -> None:
    ids = [f"people__calc-{number}" for number in range(INSTANCES)]
    assert sorted(row["instance_id"] for row in batcher.predictions()) == sorted(ids)
    assert sorted(json.loads((batcher.out / "preds.json").read_text())) == sorted(ids)
    assert all("return a + b" in row["model_patch"] for row in batcher.predictions())
    results = {row["run"]: row for row in batcher.results()}
    assert sorted(results) == sorted(ids)
    assert len(batcher.results()) == INSTANCES
    folders = sorted((batcher.out / "runs").iterdir())
    assert [folder.name for folder in folders] == sorted(ids), "no instance has a second run"
    for folder in folders:
        money = account(folder)
        assert results[folder.name]["dollars"] == pytest.approx(money["settled"] + money["in flight"], abs=1e-12)
        assert results[folder.name]["calls"] == money["calls"]
    assert result["dollars"] == pytest.approx(sum(row["dollars"] for row in results.values()), abs=1e-12)
    _check_requests(batcher.out / "runs", requests)


def _check_requests(runs: Path, requests: list[Request]) -> None:
    """Every request has an earlier hold, every answer is settled, and no recorded reply is requested again."""
    sent: dict[str, list[Request]] = {}
    for request in requests:
        if not request.body:  # its sender was killed before the body
            continue
        (number,) = set(re.findall(r"This is issue (\d+)\.", json.dumps(request.body["messages"])))
        sent.setdefault(f"people__calc-{number}", []).append(request)
    for name, own_requests in sent.items():
        records = read(runs / name).records
        holds = [record for record in records if isinstance(record, Hold)]
        assert Counter(request.turns + 1 for request in own_requests) <= Counter(hold.ask for hold in holds)
        assert sum(isinstance(record, Settle) for record in records) <= len(own_requests)
        for request in own_requests:
            assert any(hold.at <= request.at for hold in holds if hold.ask == request.turns + 1)
        for reply in (record for record in records if isinstance(record, Reply)):
            assert all(request.at < reply.at for request in own_requests if request.turns + 1 == reply.ask)
