"""A session that is killed at any record and resumed ends like an uninterrupted one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config.settings import Settings
from agent.engine.branch import RESUMED
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen
from agent.lifecycle.run_result import Result
from agent.lifecycle.turn_lifecycle import next_turn
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import DOUBLE, FILES, FIX, Sent, finish_solving, start_turn_session
from tests.conftest import copy_run
from tests.e2e.kill_runner import account
from tests.sampling import sample
from trajectories.journal import read
from trajectories.records import Run, Turn

TEST = (
    "import unittest\n\nfrom calc import add\n\n\nclass CalcTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
)
TURNS = (
    ("How would you add double()?", "plan"),
    ("Fix add().", "test-then-patch"),
    ("!echo by hand > hand.txt", "by-hand"),
    ("/undo", "undo"),
    ("/redo", "undo"),
    ("Mind what is left.", "compact"),
    ("And a note.", "build"),
)
"""The turns after a first turn in build mode."""
Uninterrupted = tuple[Bench, Result, Sent]
SCRIPT = (
    line("Add.", DOUBLE, act("shell", command="echo 1 >> count.txt; cat count.txt"), n=1),
    line("Added.", n=2),
    line("Let me look.", act("view", path="calc.py"), act("shell", command="echo never > plan.txt"), n=3),
    line("Like this.", n=4),
    line("Test.", act("edit", path="tests/test_calc.py", old="", new=TEST), act("run_tests"), n=5),
    line("Fix.", FIX, act("run_tests"), act("submit", summary="The sign."), n=6),
    line("double() was added, add() fixed.", n=7),
    line("Note.", act("shell", command="echo 2 >> count.txt; cat count.txt"), n=8),
    line("Noted.", n=9),
)
VARYING = re.compile(r" in \d+\.\d+ s\b|/\S*swe-agent-local-\w+/\w+")
USAGE = {"input_tokens": 100, "output_tokens": 10}


def run_remaining_turns(directory: Path, settings: Settings) -> Result:
    """Finish the open turn as a new process, then run the turns that the user has not requested yet."""
    engine = reopen(directory, settings.state)
    try:
        result = finish_solving(engine)
        for prompt, strategy in TURNS[len(engine.trajectory.turns) - 1 :]:
            next_turn(engine, prompt, strategy, settings_for(engine, strategy))
            result = finish_solving(engine)
        return result
    finally:
        engine.close()


def settings_for(engine: Engine, strategy: str) -> Settings:
    return engine.settings.model_copy(update={"strategy": strategy})


def comparable_messages(request: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Remove text that differs between processes: notes about resuming, folders and durations."""
    messages = [(role, VARYING.sub("", text.replace(f"{RESUMED}\n", ""))) for role, text in request]
    return [(role, text) for role, text in messages if text != RESUMED]


@pytest.fixture
def uninterrupted(
    tmp_path: Path, make_repo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> tuple[Bench, Result, Sent]:
    """A session without interruption."""
    sent = Sent(monkeypatch)
    bench = Bench(tmp_path, make_repo(FILES))
    table = {"scripted": {"price_in": 1.0, "price_out": 5.0, "max_output": 1000}}
    script = [{**each, "reply": {**each["reply"], "usage": USAGE}} for each in SCRIPT]
    start_turn_session(bench, *script, models=table).engine.close()
    return bench, run_remaining_turns(bench.directory, bench.settings), sent


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_session_killed_at_any_record_ends_the_same(uninterrupted: Uninterrupted):
    bench, ended, sent = uninterrupted
    assert [record.kind for record in read(bench.directory).records if record.type == "exit"] == [
        "unproven", "answered", "plausible", "done", "undone", "undone", "done", "unproven",
    ]  # fmt: skip
    requests = [comparable_messages(request) for request in sent]
    lines = (bench.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    records = read(bench.directory).records
    first = next(n for n, record in enumerate(records) if not isinstance(record, Run | Turn))
    for length in sample(list(range(first, len(lines))), 3):
        copy = bench.directory.parent / f"cut-{length}"
        copy_run(bench.directory, copy, b"".join(lines[:length]) + lines[length][: len(lines[length]) // 2])
        replied = sum(record.type == "reply" for record in read(copy).records)
        sent.clear()
        resumed = run_remaining_turns(copy, bench.settings)
        assert [comparable_messages(request) for request in sent] == requests[replied:], length
        assert (resumed.exit.kind, resumed.exit.tree, resumed.patch) == (
            ended.exit.kind,
            ended.exit.tree,
            ended.patch,
        ), length
        money, before = account(copy), account(bench.directory)
        assert money["settled"] == pytest.approx(before["settled"]), length
        assert sorted(money["replies"]) == sorted(before["replies"]), length
        shutil.rmtree(copy)
