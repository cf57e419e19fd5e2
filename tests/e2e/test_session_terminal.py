"""The session as a person has it: the real program in a real terminal, a model behind HTTP, a Docker workspace."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agent.tui.approval_screen import GRACE
from tests.conftest import git
from tests.e2e.conftest import Machine
from tests.e2e.provider_user import ADD_TEST, FIX, LOOK, MODEL, User
from tests.e2e.tmux import Terminal, terminal
from tests.endpoint import Answer, Endpoint
from trajectories.journal import read

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

WRONG = ("edit", {"path": "calc/core.py", "old": "return a - b", "new": "return a * b"})
UTF8 = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def user(machine: Machine, calculator: Path) -> User:
    machine.workspace = "docker"
    return User(machine, ["fix", "--repo", str(calculator)])


def opened(user: User, cwd: Path, *flags: str, columns: int = 100, rows: int = 30) -> AbstractContextManager[Terminal]:
    """`swe-agent` typed in the repository."""
    environment = {"PATH": os.environ["PATH"], **user.machine.environment, **UTF8}
    command = user.machine.command(*flags)
    return terminal(command, environment, cwd, columns, rows)


@pytest.mark.slow
def test_issue_from_its_file_to_users_files_and_on_next_day(user: User, calculator: Path) -> None:
    """start, issue by @file, watch, interrupt, steer, finish, undo, redo, diff, apply with approval, quit, resume."""
    git(calculator, "config", "core.autocrlf", "false")
    (calculator / "issue.md").write_text("# add() subtracts\n\nadd(2, 3) gives -1 but should give 5.\n")
    answers = [
        Answer("I look at the core first.", actions=[LOOK]),
        Answer("Let me wait.", actions=[("shell", {"command": "echo begun; sleep 600", "timeout": 900})]),
        Answer("Now a test and the fix.", actions=[ADD_TEST, FIX]),
        Answer("add() adds now, and a test says so."),
        Answer("It was already right."),
    ]
    with Endpoint(answers) as endpoint:
        user.has(endpoint)
        with opened(user, calculator, "--model", MODEL) as window:
            window.wait("build")
            window.type("@issue.md ")
            window.keys("Enter")
            window.wait("I look at the core first")
            window.wait("sleep 600")
            window.keys("Escape")
            window.wait("[Ii]nterrupted")
            window.type("No waiting, please: mend it.")
            window.keys("Enter")
            window.wait("add\\(\\) adds now")
            window.wait("All tests that passed before still pass|no loss")
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
            window.wait("[Aa]pplied")
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
        assert "return a + b" in (calculator / "calc/core.py").read_text()
        assert "calc/core.py" in git(calculator, "diff", "--name-only"), "the index was moved"
        said = [message for body in endpoint.asked for message in body["messages"]]
        assert any("No waiting, please" in str(message["content"]) for message in said)
        [run] = user.machine.runs()
        with opened(user, calculator, "--resume", run.name) as window:
            window.wait("add\\(\\) adds now")
            window.type("Is it right?")
            window.keys("Enter")
            window.wait("It was already right")
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
    assert len(read(run).turns) >= 2


@pytest.mark.slow
def test_inline_keeps_what_terminal_showed(user: User, calculator: Path) -> None:
    user.machine.workspace = "local"
    with Endpoint([Answer("It subtracts (calc/core.py:3).", actions=[]), Answer("Nothing else does.")]) as endpoint:
        user.has(endpoint)
        with opened(user, calculator, "--model", MODEL, "--screen", "inline", "--mode", "plan", rows=20) as window:
            window.wait("Ask, or say")  # what is typed before is lost
            for words, answer in [("What does add do?", "It subtracts"), ("What else?", "Nothing else does")]:
                window.type(words)
                window.keys("Enter")
                window.wait(answer)
            window.keys("C-d")
            window.wait(r"(?m)^\$ *$")
            scrollback = window.scrollback
    assert "swe_agent import main" in scrollback, "the line that began it is gone"
    assert "It subtracts" in scrollback
    assert "swe-agent --resume" in scrollback
