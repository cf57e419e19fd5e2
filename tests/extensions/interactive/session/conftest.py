"""Fixtures for sessions: `session`, a fake with a recorded run, and `talk`, a real one with a scripted model."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.branch import Branch
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.lifecycle.user_change_detection import take_over_changes
from agent.permissions.approvals import Answer, Approval
from agent.run_state.merge_base import present_tree
from agent.run_state.turn_state import MAIN
from extensions.interactive.session.commands import find
from tests.conftest import git
from tests.extensions.interactive.session.scripted_session import RecordedSession
from trajectories.records import Exit, Issue, Observation, Step, Turn


class FakeSession:
    """The part of a session that commands use, on a run whose steps a test writes. `questions` and `messages` are what
    the user saw, `answers` what the user replies: yes when the list is empty."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.settings = Settings(workspace="local", state=state, strategy="templates", update_tests=True)
        self.run = Path()
        self.engine: Engine | None = None
        self.questions: list[Approval] = []
        self.messages: list[str] = []
        self.titles: list[str] = []
        self.answers: list[Callable[[Approval], Answer] | Answer] = []
        self.stopped = Event()

    def begin(self, rev: str | None = None, labels: tuple[str, ...] = ()) -> FakeSession:
        self.run = begin(Issue("Work", labels=labels), Repository.open(self.root), self.settings, rev)
        return self.reopen()

    def reopen(self) -> FakeSession:
        self.close()
        self.engine = reopen(self.run, self.settings.state)
        return self

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    # Interface for commands

    def ask(self, approval: Approval) -> Answer:
        self.questions.append(approval)
        answer = self.answers.pop(0) if self.answers else Answer(True)
        return answer if isinstance(answer, Answer) else answer(approval)

    def write_commit_message(self, material: str) -> str:
        raise AssertionError("this session has no model")

    def show(self, text: str, kind: str = "text", title: str = "") -> None:
        self.messages.append(text)
        self.titles.append(title)

    def say(self, command: str) -> str:
        """Run a command and return the last message."""
        name, _, words = command.removeprefix("/").partition(" ")
        find(name).run(self, words)
        return self.messages[-1]

    # Changes to the run

    @property
    def tree(self) -> str:
        assert self.engine
        return present_tree(self.engine.trajectory, self.engine.run.base.tree)

    def change_files(self, files: dict[str, bytes | None]) -> None:
        """Add a step that changes files of the session."""
        assert self.engine
        self.step("coder", self.engine.trees.write(files, self.tree))

    def step(self, author: str, tree: str, **data: object) -> None:
        assert self.engine
        steps = self.engine.trajectory.steps[MAIN]
        self.engine.journal.append(
            Step(MAIN, len(steps) + 1, "", author, tree, observations=(Observation("", data=data),))
        )

    def start_turn(self, ended: str = "answered") -> list[Step]:
        """End the last turn with `ended` and start the next one; return the steps that take over the user's changes."""
        assert self.engine
        self.engine.journal.append(Exit(ended, 0, self.tree))
        self.engine.journal.append(Turn("more", "templates"))
        return list(take_over_changes(Branch(self.engine)))

    def run_file(self, path: str) -> bytes:
        assert self.engine
        return self.engine.trees.read(self.tree, path)

    # The user's repository

    def file(self, path: str) -> Path:
        return self.root / path

    def git(self, *args: str) -> str:
        return git(self.root, *args)

    def index(self) -> str:
        return self.git("ls-files", "--stage")


@pytest.fixture
def session(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSession]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    lines = b"".join(b"line %d\n" % n for n in range(30))
    session = FakeSession(make_repo({"a.txt": lines, "b.txt": b"b\n", "dir/c.txt": b"c\n"}), tmp_path / "state")
    yield session
    session.close()


@pytest.fixture
def talk(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RecordedSession]]:
    """`talk(script, …)` opens a session in a small repository; it is closed after the test."""
    for name in [
        name
        for name in os.environ
        if name.startswith("SWE_AGENT_") and name not in ("SWE_AGENT_CONFIG", "SWE_AGENT_INDEPENDENT")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    talks: list[RecordedSession] = []

    def open_talk(script: list[dict[str, Any]], **start: Any) -> RecordedSession:
        files = {"a.py": "def f():\n    return 1\n", "tests/test_a.py": "from a import f\n\n\ndef test_f():\n    f()\n"}
        root = start.pop("root", None) or make_repo(files)
        talks.append(RecordedSession(root, tmp_path / f"state{len(talks)}" / "swe", script, **start))
        talks[-1].session.open()
        return talks[-1]

    yield open_talk
    for opened in talks:
        opened.session.close()
