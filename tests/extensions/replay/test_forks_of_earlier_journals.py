"""Runs of earlier versions are forked."""

from __future__ import annotations

import json

import pytest

from agent.config.settings import Settings
from extensions.replay.run_fork import find_origin, fork
from tests.agent.runs.test_earlier_journals import NAMES, earlier
from trajectories.journal import read
from trajectories.migrations import is_version_note
from trajectories.records import VERSION

__all__ = ["earlier"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_earlier_run_is_forked(earlier, name):
    run = earlier(name)
    settings = Settings(state=run.state)
    parent = find_origin(f"{run.directory.name}@3", settings)
    child = fork(parent, Settings(**parent.run.settings, state=run.state))
    assert json.loads((child / "journal.jsonl").read_bytes().partition(b"\n")[0])["version"] == VERSION
    resumed = run.resume(child)
    assert resumed.exit.kind == ("unproven" if name == "session" else "plausible")


@pytest.mark.slow
def test_fork_of_resumed_earlier_run_has_no_version_note(earlier):
    """The fork's first line has the version of all its lines."""
    run = earlier("react")
    run.truncate(max(at for at, line in enumerate(run.lines) if line.endswith(b'"type":"settle"}\n')) + 1)
    run.resume()
    settings = Settings(state=run.state)
    last = read(run.directory).steps["main"][-1]
    parent = find_origin(f"{run.directory.name}@{last.id}", settings)
    assert any(map(is_version_note, parent.trajectory.notes))
    child = fork(parent, Settings(**parent.run.settings, state=run.state))
    assert not any(map(is_version_note, read(child).notes))
