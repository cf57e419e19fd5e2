"""Fixtures that start a run in a local workspace and drive it with a strategy written in the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.branch import Branch
from agent.engine.engine import Engine
from agent.engine.task import Task
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.progress_event import ProgressEvent
from trajectories.plugins import extension_names
from trajectories.records import Issue, Step

if TYPE_CHECKING:
    from tests.agent.scripted_turns import TurnSession

Strategy = Callable[[Task], Generator[Step, None, Outcome]]


class Bench:
    """A run with a scripted model: `begin(*lines)` starts it, each `drive(strategy)` runs a strategy on it."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.repository = folder, repository
        self.directory = Path()
        self.events: list[ProgressEvent] = []

    def begin(self, *lines: dict, rev: str | None = None, **settings: object) -> Path:
        script = self.folder / "script.jsonl"
        script.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.settings = Settings(
            model=f"scripted:{script}", workspace="local", state=self.folder / "state", retry_wait=0, **settings
        )
        self.directory = begin(Issue("add() subtracts"), Repository.open(self.repository), self.settings, rev)
        return self.directory

    def engine(self) -> Engine:
        return reopen(self.directory, self.settings.state, self.events.append)

    def drive(self, strategy: Strategy) -> tuple[list[Step], Outcome]:
        """Run the strategy in a new engine, as a new process would; return its steps and its outcome."""
        engine = self.engine()
        steps: list[Step] = []
        try:
            running = strategy(Task(Branch(engine)))
            while True:
                try:
                    steps.append(next(running))
                except StopIteration as end:
                    return steps, end.value
        finally:
            engine.close()


@pytest.fixture
def bench(tmp_path: Path, make_repo) -> Bench:
    repository = make_repo({"calc.py": "def add(a, b):\n    return a - b\n", ".gitignore": "*.pyc\n"})
    return Bench(tmp_path, repository)


def act(tool: str, **arguments: object) -> dict:
    return {"tool": tool, "arguments": arguments}


def line(text: str, *actions: dict, usage: dict | None = None, **where: object) -> dict:
    return {**where, "reply": {"text": text, "actions": list(actions), "usage": usage or {"input_tokens": 50}}}


@pytest.fixture
def talk(bench: Bench) -> Iterator[Callable[..., TurnSession]]:
    """`talk(line(…), …, setting=…)` opens a session of turns on the bench in which the model gives these replies."""
    from tests.agent.scripted_turns import start_turn_session

    sessions: list[TurnSession] = []

    def open_session(*lines: dict, **settings: object) -> TurnSession:
        sessions.append(start_turn_session(bench, *lines, **settings))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.engine.close()


@pytest.fixture(autouse=True)
def no_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test install packages, which takes long and needs the network."""
    if "environments" in extension_names():
        failing = lambda *_: pytest.fail("an environment would be set up")
        monkeypatch.setattr("extensions.environments.host_environment._set_up", failing)
