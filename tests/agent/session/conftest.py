"""A session at the moment when its work is to go to the user: a run with steps, and somebody who answers."""

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
from agent.engine.engine import Engine
from agent.engine.run_lifecycle import begin, reopen
from agent.engine.task import Task
from agent.engine.user_change_detection import take_over_changes
from agent.permissions.approvals import Answer, Approval
from agent.run_state.merge_base import present_tree
from agent.run_state.turn_state import MAIN
from agent.session.commands import find
from tests.agent.session.scripted_session import Talk
from tests.conftest import git
from trajectories.records import Exit, Issue, Observation, Step, Turn


class Desk:
    """The part of a session that commands know, on a run whose steps a test writes. `asked` and `told` are what
    the user saw, `answers` what the user says to questions: yes if nothing is left."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.settings = Settings(workspace="local", state=state, strategy="templates", update_tests=True)
        self.run = Path()
        self.engine: Engine | None = None
        self.asked: list[Approval] = []
        self.told: list[str] = []
        self.titles: list[str] = []
        self.answers: list[Callable[[Approval], Answer] | Answer] = []
        self.stopped = Event()

    def begin(self, rev: str | None = None) -> Desk:
        self.run = begin(Issue("Work"), Repository.open(self.root), self.settings, rev)
        return self.reopen()

    def reopen(self) -> Desk:
        self.close()
        self.engine = reopen(self.run, self.settings.state)
        return self

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    # What a session is for commands

    def ask(self, approval: Approval) -> Answer:
        self.asked.append(approval)
        answer = self.answers.pop(0) if self.answers else Answer(True)
        return answer if isinstance(answer, Answer) else answer(approval)

    def tell(self, text: str, kind: str = "text", title: str = "") -> None:
        self.told.append(text)
        self.titles.append(title)

    def say(self, command: str) -> str:
        """A command, done now; what was told last."""
        name, _, words = command.removeprefix("/").partition(" ")
        find(name).run(self, words)
        return self.told[-1]

    # What happens

    @property
    def tree(self) -> str:
        assert self.engine
        return present_tree(self.engine.trajectory, self.engine.run.base.tree)

    def changes(self, files: dict[str, bytes | None]) -> None:
        """A step in which the session changes its files."""
        assert self.engine
        self.step("coder", self.engine.trees.write(files, self.tree))

    def step(self, author: str, tree: str, **data: object) -> None:
        assert self.engine
        steps = self.engine.trajectory.steps[MAIN]
        self.engine.journal.append(
            Step(MAIN, len(steps) + 1, "", author, tree, observations=(Observation("", data=data),))
        )

    def turn(self, ended: str = "answered") -> list[Step]:
        """The next turn begins, after the last one ended so; the steps with which it takes over what the user did."""
        assert self.engine
        self.engine.journal.append(Exit(ended, 0, self.tree))
        self.engine.journal.append(Turn("more", "templates"))
        return list(take_over_changes(Task(self.engine)))

    def ours(self, path: str) -> bytes:
        assert self.engine
        return self.engine.trees.read(self.tree, path)

    # The user's own

    def file(self, path: str) -> Path:
        return self.root / path

    def git(self, *args: str) -> str:
        return git(self.root, *args)

    def index(self) -> str:
        return self.git("ls-files", "--stage")


@pytest.fixture
def desk(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    lines = b"".join(b"line %d\n" % n for n in range(30))
    desk = Desk(make_repo({"a.txt": lines, "b.txt": b"b\n", "dir/c.txt": b"c\n"}), tmp_path / "state")
    yield desk
    desk.close()


@pytest.fixture
def talk(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Talk]]:
    """`talk(script, …)` is a session in a small repository, open; closed after the test."""
    for name in [name for name in os.environ if name.startswith("SWE_AGENT_") and name not in ("SWE_AGENT_CONFIG",)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    opened: list[Talk] = []

    def open(script: list[dict[str, Any]], **start: Any) -> Talk:
        files = {"a.py": "def f():\n    return 1\n", "tests/test_a.py": "from a import f\n\n\ndef test_f():\n    f()\n"}
        root = start.pop("root", None) or make_repo(files)
        opened.append(Talk(root, tmp_path / f"state{len(opened)}" / "swe", script, **start))
        opened[-1].session.open()
        return opened[-1]

    yield open
    for each in opened:
        each.session.close()
