"""kill -9 at random moments of a run with a real HTTP endpoint: during streams, waits, tools and proofs.

The resumed run ends with the same patch, counts every request that may have been billed, does not repeat a recorded
request, and sends the same conversation.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.engine.branch import RESUMED
from tests.e2e.conftest import TEST_CORE, Machine
from tests.e2e.kill_runner import MODEL, Provider, account, is_started, provider, run_and_kill
from tests.endpoint import Request
from tests.sampling import SEED, sample
from trajectories.journal import read
from trajectories.records import Hold, Note, Reply, Settle, Step

SLOW = 0.05
"""Seconds before each event of a stream, so that kills happen between events."""
MAX_PROCESSES = 4


def answer(turns: int, text: str, *actions: tuple[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    usage = {"input": 1000 + 100 * turns, "output": 50}
    reply_fields = {"text": text, "actions": actions, "usage": usage, "slow": SLOW, **fields}
    return {"turns": turns, "answer": reply_fields}


def fault(turns: int, **fields: Any) -> dict[str, Any]:
    return {"turns": turns, "times": 1, "answer": fields}


SCRIPT = [
    fault(0, status=429, headers={"Retry-After": "1"}),
    answer(0, "I look first.", ("view", {"path": "calc/core.py"}), ("view", {"path": "tests/test_text.py"})),
    fault(1, text="A test, see it", actions=[("run_tests", {})], slow=SLOW, cut=6),
    answer(1, "A test, see it red.", ("edit", {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}),
           ("run_tests", {"nodes": ["tests.test_core"]})),
    fault(2, status=500),
    answer(2, "Plus.", ("edit", {"path": "calc/core.py", "old": "return a - b", "new": "return a + b"}),
           ("run_tests", {})),
    fault(3, status=429),
    answer(3, "Done.", ("submit", {"summary": "add() adds."})),
]  # fmt: skip


@pytest.fixture
def fix_arguments(calculator: Path, issue_file: str) -> list[str]:
    return [
        "fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", MODEL,
        "--test", "python3 -m unittest discover",
    ]  # fmt: skip


@pytest.fixture
def uninterrupted(machine: Machine, fix_arguments: list[str]) -> dict[str, Any]:
    """The result of an uninterrupted run."""
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0.3"}
    with provider(machine, SCRIPT) as provider_process:
        started = time.monotonic()
        result = machine.json(*fix_arguments)
        seconds = time.monotonic() - started
        assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible"), result["stderr"]
        assert len(provider_process.requests) == 8
        return result | {
            "seconds": seconds,
            "requests": provider_process.requests,
            "money": account(Path(result["directory"])),
        }


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_run_killed_at_random_moments_is_resumed(
    machine: Machine, fix_arguments: list[str], uninterrupted: dict[str, Any]
) -> None:
    rng = random.Random(SEED)
    moments = [
        [(part + rng.random()) * uninterrupted["seconds"] / 30, *_later_moments(rng, uninterrupted)]
        for part in range(30)
    ]
    counts: Counter[str] = Counter()
    for seconds in sample(moments, 1):
        with provider(machine, SCRIPT) as provider_process:
            directory = _run_with_kills(machine, fix_arguments, provider_process, seconds, counts)
            result = machine.json("resume", directory.name) if directory else machine.json(*fix_arguments)
            _check(result, Path(result["directory"]), provider_process.requests, uninterrupted)
    logging.info("%d kills of runs of %.1f s fell in: %s", sum(counts.values()), uninterrupted["seconds"], dict(counts))


def _later_moments(rng: random.Random, uninterrupted: dict[str, Any]) -> list[float]:
    """The moments at which resumed processes of some runs are killed too."""
    return [rng.uniform(0.5, uninterrupted["seconds"]) for _ in range(rng.choice([0, 0, 1, 2]))]


def _run_with_kills(
    machine: Machine, fix_arguments: list[str], provider_process: Provider, moments: list[float], counts: Counter[str]
) -> Path | None:
    """Start the run and kill its processes at these moments; return its directory, if it has one."""
    before = set(machine.runs())
    arguments, directory = fix_arguments, None
    for seconds in moments:
        alive = run_and_kill(machine, arguments, seconds)
        directory = next((path for path in machine.runs() if path not in before and is_started(path)), None)
        counts[_interrupted_part(directory, provider_process.requests) if alive else "after the end"] += 1
        if directory:
            assert len(provider_process.requests) <= account(directory)["calls"], "a request was sent without a hold"
            arguments = ["resume", directory.name]
    return directory


def _interrupted_part(directory: Path | None, requests: list[Request]) -> str:
    """The part of the run that was interrupted, as the records show it."""
    if directory is None:
        return "before the first record"
    records = [r for r in read(directory).records if isinstance(r, Hold | Settle | Reply | Step | Note)]
    records_of_steps = [record for record in records if not (isinstance(record, Note) and record.kind == "gate")]
    last = records_of_steps[-1] if records_of_steps else None
    if isinstance(last, Hold):
        return "stream" if any(request.at >= last.at for request in requests) else "before the request"
    if isinstance(last, Settle):
        return "tool" if isinstance(records_of_steps[-2], Reply) else "wait"
    if isinstance(last, Note) and last.text == "prove":
        return "proof"
    return "tool" if isinstance(last, Reply) else "opening and between steps"


def _check(result: dict[str, Any], directory: Path, requests: list[Request], uninterrupted: dict[str, Any]) -> None:
    """Compare the killed and resumed run with the uninterrupted one."""
    assert (result["exit"], result["patch"]) == (6, uninterrupted["patch"]), result["stderr"]
    assert result["verdict"]["kind"] == "plausible"
    money = account(directory)
    assert money["replies"] == uninterrupted["money"]["replies"]
    assert result["usage"]["dollars"] == pytest.approx(money["settled"] + money["in flight"])
    assert result["usage"]["dollars"] >= uninterrupted["usage"]["dollars"] - 1e-9
    assert result["usage"]["calls"] == money["calls"]
    _check_requests(directory, requests)
    sent, expected = _conversations(requests), _conversations(uninterrupted["requests"])
    assert sent.keys() == expected.keys()
    for turns, conversation in expected.items():
        assert sent[turns].splitlines() == conversation.splitlines()


def _check_requests(directory: Path, requests: list[Request]) -> None:
    """Each request has an earlier hold, no recorded reply is requested again, each conversation extends the last."""
    records = read(directory).records
    holds = [record for record in records if isinstance(record, Hold)]
    for number, request in enumerate(requests, 1):
        assert sum(hold.at <= request.at for hold in holds) >= number
    hold_counts = Counter(hold.ask for hold in holds)
    assert Counter(request.turns + 1 for request in requests) <= hold_counts
    for reply in (record for record in records if isinstance(record, Reply)):
        assert all(request.at < reply.at for request in requests if request.turns + 1 == reply.ask)
    for before, after in pairwise(request.body for request in requests):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert after["tools"] == before["tools"]


def _conversations(requests: list[Request]) -> dict[int, str]:
    """What was sent last at each ask, but for the note of a resume, folders, seconds and numbers of outputs."""
    return {request.turns: _plain(request.body["messages"]) for request in requests}


def _plain(messages: list[dict[str, Any]]) -> str:
    sent_messages = [message for message in messages if message.get("content") != RESUMED]
    text = json.dumps(sent_messages, ensure_ascii=False, indent=1)
    text = text.replace(json.dumps(f"{RESUMED}\n")[1:-1], "")
    text = re.sub(r"/[^\s\"]*/swe-agent-local-\w+/[0-9a-f]{8}", "<folder>", text)
    return re.sub(r"out:\d+", "out:N", re.sub(r"in [\d.]+ s\b", "in N s", text))
