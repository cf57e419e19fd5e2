"""The options of every command that starts a run, given on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cli.command_line import COMMANDS, build_command_line, load_command, run
from agent.cli.shared_options import RUN_OPTIONS
from agent.config.settings import load_settings
from tests.conftest import MakeRepo
from trajectories.errors import UsageError
from trajectories.plugins import names

VALUES = {
    "test": "make check",
    "serve": "npm run dev",
    "effort": "low",
    "workspace": "local",
    "image": "mine",
    "max_steps": 7,
    "max_tokens": 900,
    "max_time": 2.5,
    "accept": "plausible",
}
"""A value for each option, other than its default."""
STARTS = {
    "fix": ("drive_new", ["--text", "x"]),
    "test": ("drive_new", ["--function", "a.py:f"]),
    "optimize": ("drive_new", []),
    "batch": ("start_batch", ["--instances", "i.jsonl", "--out", "out"]),
}
"""For each command, the function that it calls with its settings or options, and further arguments."""


def test_every_option_has_a_value() -> None:
    assert VALUES.keys() == RUN_OPTIONS.keys()


@pytest.mark.parametrize("command", STARTS)
@pytest.mark.parametrize("name", VALUES)
def test_option_reaches_settings(command: str, name: str, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    start, arguments = STARTS[command]
    given: list[Any] = []

    def start_nothing(*values: object) -> int:
        given.extend(values)
        raise UsageError("Nothing is started.")

    monkeypatch.chdir(make_repo({"a.py": "def f():\n    pass\n"}))
    monkeypatch.setattr(f"{names(COMMANDS)[command]}.{start}", start_nothing)
    run([command, *arguments, f"--{name.replace('_', '-')}", str(VALUES[name])])
    settings = load_settings(**given[0].flags) if command == "batch" else given[2]
    assert getattr(settings, name) == VALUES[name]
    assert getattr(load_settings(), name) != VALUES[name]


def test_commands_that_work_on_runs_have_events() -> None:
    commands = build_command_line().list_commands(None)
    having = {name for name in commands if {"events", "deltas"} <= {one.name for one in load_command(name).params}}
    working = {"fix", "prove", "review", "optimize", "test", "resume", "fork", "replay", "session", "batch"}
    assert having == working


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--events", "-"], "--json and `--events -` both write to stdout."),
        (["--deltas"], "--deltas was given without --events."),
        (["--events", "/nowhere/events.jsonl"], "Events cannot be written to /nowhere/events.jsonl: No such file"),
    ],
)
@pytest.mark.parametrize("command", ["fix", "resume"])
def test_impossible_events_are_a_usage_error(
    command: str, arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    first = ["--text", "x"] if command == "fix" else ["some-run"]
    assert run([command, *first, *arguments]) == 2
    captured = capfd.readouterr()
    assert message in captured.out + captured.err
