"""kill -9 at random moments of a run against a real HTTP endpoint: in streams, waits, tools and proofs.

Whatever is killed, the resumed run ends with the same patch, pays for every request that may have been billed, asks
nothing again that was answered and recorded, and sends the conversation that it would have sent.
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

from agent.engine.task import RESUMED
from tests.e2e.conftest import TEST_CORE, Machine
from tests.e2e.kill_runner import MODEL, Provider, account, begun, killed, provider
from tests.endpoint import Request
from tests.sampling import SEED, sample
from trajectories.journal import read
from trajectories.records import Hold, Note, Reply, Settle, Step

SLOW = 0.05
"""Seconds before each event of a stream: kills are to fall between them."""
MOST_LIVES = 4


def answer(turns: int, text: str, *actions: tuple[str, dict[str, Any]], **rest: Any) -> dict[str, Any]:
    usage = {"input": 1000 + 100 * turns, "output": 50}
    said = {"text": text, "actions": actions, "usage": usage, "slow": SLOW, **rest}
    return {"turns": turns, "answer": said}


def fault(turns: int, **how: Any) -> dict[str, Any]:
    return {"turns": turns, "times": 1, "answer": how}


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
def begin(calculator: Path, issue_file: str) -> list[str]:
    return [
        "fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", MODEL,
        "--test", "python3 -m unittest discover",
    ]  # fmt: skip


@pytest.fixture
def whole(machine: Machine, begin: list[str]) -> dict[str, Any]:
    """The run that nothing interrupts."""
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0.3"}
    with provider(machine, SCRIPT) as asked:
        started = time.monotonic()
        done = machine.json(*begin)
        seconds = time.monotonic() - started
        assert (done["exit"], done["verdict"]["kind"]) == (0, "verified"), done["stderr"]
        assert len(asked.requests) == 8
        return done | {"seconds": seconds, "requests": asked.requests, "money": account(Path(done["directory"]))}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_random_moments(machine: Machine, begin: list[str], whole: dict[str, Any]) -> None:
    chance = random.Random(SEED)
    moments = [[(part + chance.random()) * whole["seconds"] / 30, *_later(chance, whole)] for part in range(30)]
    fell: Counter[str] = Counter()
    for seconds in sample(moments, 1):
        with provider(machine, SCRIPT) as asked:
            directory = _live_through(machine, begin, asked, seconds, fell)
            done = machine.json("resume", directory.name) if directory else machine.json(*begin)
            _check(done, Path(done["directory"]), asked.requests, whole)
    logging.info("%d kills of runs of %.1f s fell in: %s", sum(fell.values()), whole["seconds"], dict(fell))


def _later(chance: random.Random, whole: dict[str, Any]) -> list[float]:
    """Moments at which the lives after the first are killed, of some runs."""
    return [chance.uniform(0.5, whole["seconds"]) for _ in range(chance.choice([0, 0, 1, 2]))]


def _live_through(
    machine: Machine, begin: list[str], asked: Provider, moments: list[float], fell: Counter[str]
) -> Path | None:
    """Begin the run and kill it at each of the moments of its lives; its directory, if it has one."""
    before = set(machine.runs())
    arguments, directory = begin, None
    for seconds in moments:
        alive = killed(machine, arguments, seconds)
        directory = next((made for made in machine.runs() if made not in before and begun(made)), None)
        fell[_fell(directory, asked.requests) if alive else "after the end"] += 1
        if directory:
            assert len(asked.requests) <= account(directory)["calls"], "a request left without its hold"
            arguments = ["resume", directory.name]
    return directory


def _fell(directory: Path | None, requests: list[Request]) -> str:
    """Where in the run the kill fell, by what is on the record."""
    if directory is None:
        return "before the first record"
    records = [r for r in read(directory).records if isinstance(r, Hold | Settle | Reply | Step | Note)]
    kept = [record for record in records if not (isinstance(record, Note) and record.kind == "gate")]
    last = kept[-1] if kept else None
    if isinstance(last, Hold):
        return "stream" if any(request.at >= last.at for request in requests) else "before the request"
    if isinstance(last, Settle):
        return "tool" if isinstance(kept[-2], Reply) else "wait"
    if isinstance(last, Note) and last.text == "prove":
        return "proof"
    return "tool" if isinstance(last, Reply) else "opening and between steps"


def _check(done: dict[str, Any], directory: Path, requests: list[Request], whole: dict[str, Any]) -> None:
    """The run that was killed and resumed against the one that never was."""
    assert (done["exit"], done["patch"]) == (0, whole["patch"]), done["stderr"]
    assert done["verdict"]["kind"] == "verified"
    money = account(directory)
    assert money["replies"] == whole["money"]["replies"]
    assert done["usage"]["dollars"] == pytest.approx(money["settled"] + money["in flight"])
    assert done["usage"]["dollars"] >= whole["usage"]["dollars"] - 1e-9
    assert done["usage"]["calls"] == money["calls"]
    _check_requests(directory, requests)
    sent, expected = _conversations(requests), _conversations(whole["requests"])
    assert sent.keys() == expected.keys()
    for turns, said in expected.items():
        assert sent[turns].splitlines() == said.splitlines()


def _check_requests(directory: Path, requests: list[Request]) -> None:
    """Each request was held before, none asks what was answered, each begins with all that was sent before."""
    records = read(directory).records
    holds = [record for record in records if isinstance(record, Hold)]
    for number, request in enumerate(requests, 1):
        assert sum(hold.at <= request.at for hold in holds) >= number
    held = Counter(hold.ask for hold in holds)
    assert Counter(request.turns + 1 for request in requests) <= held
    for reply in (record for record in records if isinstance(record, Reply)):
        assert all(request.at < reply.at for request in requests if request.turns + 1 == reply.ask)
    for before, after in pairwise(request.body for request in requests):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert after["tools"] == before["tools"]


def _conversations(requests: list[Request]) -> dict[int, str]:
    """What was sent last at each ask, but for the note of a resume, folders, seconds and numbers of outputs."""
    return {request.turns: _plain(request.body["messages"]) for request in requests}


def _plain(messages: list[dict[str, Any]]) -> str:
    kept = [message for message in messages if message.get("content") != RESUMED]
    text = json.dumps(kept, ensure_ascii=False, indent=1)
    text = text.replace(json.dumps(f"{RESUMED}\n")[1:-1], "")
    text = re.sub(r"/[^\s\"]*/swe-agent-local-\w+/[0-9a-f]{8}", "<folder>", text)
    return re.sub(r"out:\d+", "out:N", re.sub(r"in [\d.]+ s\b", "in N s", text))
