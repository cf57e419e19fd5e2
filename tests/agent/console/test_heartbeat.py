"""Lines that show that a command is alive."""

from __future__ import annotations

import time
from threading import Event

import pytest

from aci.observation.activity_message import ActivityMessage
from agent.console import rich_terminal as module
from agent.console.process_end import OutputFile
from agent.console.rich_terminal import Activity, heartbeat, waiting


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.05)


def test_beats_repeat_during_silence_and_stop_at_the_end() -> None:
    lines = []
    third = Event()

    def print_line() -> None:
        lines.append(1)
        if len(lines) == 3:
            third.set()

    with heartbeat(print_line):
        assert third.wait(30)
    seen = len(lines)
    time.sleep(0.2)
    assert len(lines) == seen


def test_output_of_the_process_delays_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[int] = []
    monkeypatch.setattr(OutputFile, "last_write", time.monotonic() + 3600)
    with heartbeat(lambda: lines.append(1)):
        time.sleep(0.3)
    assert not lines


def test_output_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(OutputFile, "last_write", 0.0)
    with OutputFile(tmp_path / "out", "w") as stream:
        stream.write(b"x")
    assert OutputFile.last_write > 0


def test_waiting_without_terminal_prints_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    end = time.monotonic() + 30
    output = ""
    with waiting("Reading the repository", plain=True):
        while not output and time.monotonic() < end:
            output = capsys.readouterr().err
            time.sleep(0.01)
    assert output.startswith("Reading the repository (0s)\n")


def test_wait_shows_the_last_activity(capfd: pytest.CaptureFixture[str]) -> None:
    activity = Activity("Looking")
    with waiting(activity, plain=True) as progress:
        say = activity.say(progress)
        say(ActivityMessage("Installing\x1b[2J packages"))
        say("A note.")
        time.sleep(0.3)
    lines = capfd.readouterr().err.splitlines()
    assert lines[:2] == ["Installing packages", "A note."]
    assert lines[2].startswith("Installing packages (")
