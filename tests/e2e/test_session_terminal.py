"""The session in a real terminal: the real program, a model at an HTTP endpoint, a Docker workspace."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from extensions.interactive.tui.approval_screen import GRACE
from tests.conftest import git
from tests.e2e.conftest import Machine
from tests.e2e.provider_user import ADD_TEST, FIX, LOOK, MODEL, User
from tests.e2e.tmux import Terminal, terminal
from tests.endpoint import Answer, Endpoint
from trajectories.journal import read

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

UTF8 = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def user(machine: Machine, calculator: Path) -> User:
    machine.workspace = "docker"
    return User(machine, ["fix", "--repo", str(calculator)])


def open_session(
    user: User, cwd: Path, *flags: str, columns: int = 100, rows: int = 30
) -> AbstractContextManager[Terminal]:
    """Start `swe-agent` in the repository."""
    environment = {"PATH": os.environ["PATH"], **user.machine.environment, **UTF8}
    command = user.machine.command(*flags)
    return terminal(command, environment, cwd, columns, rows)


@pytest.mark.slow
def test_issue_is_fixed_applied_and_session_resumed(user: User, calculator: Path) -> None:
    """Start, issue by @file, watch, interrupt, steer, finish, undo, redo, diff, apply with approval, quit, resume."""
    git(calculator, "config", "core.autocrlf", "false")
    (calculator / "issue.md").write_text("# add() subtracts\n\nadd(2, 3) gives -1 but should give 5.\n")
    answers = [
        Answer("I look at the core first.", actions=[LOOK]),
        Answer("Let me wait.", actions=[("shell", {"command": "echo started; sleep 600", "timeout": 900})]),
        Answer("Now a test and the fix.", actions=[ADD_TEST, FIX]),
        Answer("add() adds now, and a test checks it."),
        Answer("It was already right."),
    ]
    with Endpoint(answers) as endpoint:
        user.add_model(endpoint)
        with open_session(user, calculator, "--model", MODEL) as window:
            window.wait("build")
            window.type("@issue.md ")
            window.keys("Enter")
            window.wait("I look at the core first")
            window.wait("sleep 600")
            window.keys("Escape")
            window.wait("[Ii]nterrupted")
            window.type("No waiting, please: fix it.")
            window.keys("Enter")
            window.wait("add\\(\\) adds now")
            window.wait("All tests that passed before still pass|no test broken")
            window.type("/undo")
            window.keys("Enter")
            window.wait("[Uu]ndo|[Bb]ack")
            window.type("/redo")
            window.keys("Enter")
            window.type("/diff")
            window.keys("Enter")
            window.wait(r"return a \+ b(?s:.*)q close")
            window.keys("Escape")
            window.wait("Say what to do")
            window.type("/apply")
            window.keys("Enter")
            window.wait("yes, once")
            time.sleep(GRACE + 0.3)
            window.keys("y")
            window.wait("Applied to 2 files(?s:.*)Say what to do")
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
        assert "return a + b" in (calculator / "calc/core.py").read_text()
        assert "calc/core.py" in git(calculator, "diff", "--name-only"), "the index was changed"
        messages = [message for body in endpoint.asked for message in body["messages"]]
        assert any("No waiting, please" in str(message["content"]) for message in messages)
        [run] = user.machine.runs()
        with open_session(user, calculator, "--resume", run.name) as window:
            window.wait("add\\(\\) adds now")
            window.type("Is it right?")
            window.keys("Enter")
            window.wait("It was already right")
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
    assert len(read(run).turns) >= 2


@pytest.mark.slow
def test_inline_screen_keeps_scrollback(user: User, calculator: Path) -> None:
    user.machine.workspace = "local"
    with Endpoint([Answer("It subtracts (calc/core.py:3).", actions=[]), Answer("Nothing else does.")]) as endpoint:
        user.add_model(endpoint)
        with open_session(
            user, calculator, "--model", MODEL, "--screen", "inline", "--mode", "plan", rows=20
        ) as window:
            window.wait("Ask, or say")  # earlier input would be lost
            for prompt, answer in [("What does add do?", "It subtracts"), ("What else?", "Nothing else does")]:
                window.type(prompt)
                window.keys("Enter")
                window.wait(answer)
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
            scrollback = window.scrollback
    assert "swe_agent import main" in scrollback, "the command line that started the session is gone"
    assert "It subtracts" in scrollback
    assert "swe-agent --resume" in scrollback
