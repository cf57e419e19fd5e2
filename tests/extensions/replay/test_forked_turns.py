"""Forks of runs with several turns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.lifecycle.run_lifecycle import reopen
from extensions.replay.run_fork import find_origin, fork, fork_settings
from tests.agent.conftest import line
from tests.agent.scripted_turns import DOUBLE, FIX, finish_solving
from trajectories.journal import read
from trajectories.records import Exit, Note
from trajectories.trajectory import Trajectory


@pytest.mark.slow
def test_fork_counts_time_of_parent_turns(talk):
    session = talk(line("Fix.", FIX, n=1), line("Fixed.", n=2))
    session.finish_turn()
    seconds, last = session.engine.trajectory.live_seconds(), session.steps[-1]
    session.engine.close()
    origin = find_origin(f"{session.bench.directory.name}@{last.n}", session.bench.settings)
    at = origin.trajectory.records.index(last)
    waited = Note("main", "life", "paused for 60 s", at=last.at + 60)
    origin.trajectory.records[at:] = [waited, replace(last, at=last.at + 60)]
    origin = replace(origin, step=origin.trajectory.records[-1])
    forked = read(fork(origin, session.settings))
    assert forked.live_seconds() == pytest.approx(seconds, abs=5.0)
    continued = Trajectory([*forked.records[:-1], replace(forked.records[-1], at=last.at + 5000)])
    assert continued.records[-1].kind == "forked"
    assert continued.live_seconds() == pytest.approx(seconds, abs=5.0)


@pytest.mark.slow
def test_fork_of_later_turn_contains_earlier_turns(talk):
    session = talk(line("Fix.", FIX, n=1), line("Fixed.", n=2), line("Add.", DOUBLE, n=3), line("Added.", n=4))
    session.finish_turn()
    session.send("Add double().", max_steps=7)
    last = session.steps[-2]
    session.engine.close()
    origin = find_origin(f"{session.bench.directory.name}@{last.n}", session.bench.settings)
    settings = fork_settings(origin, state=session.bench.settings.state)
    assert settings.max_steps == 7
    directory = fork(origin, settings)
    forked = reopen(directory, settings.state)
    try:
        trajectory = read(directory)
        assert [record.kind for record in trajectory.records if isinstance(record, Exit)] == ["unproven"]
        assert [turn.request for turn in trajectory.turns] == ["fix", "Add double()."]
        assert forked.settings.max_steps == 7
        ended = finish_solving(forked)
        assert "double.py" in ended.patch.diff
    finally:
        forked.close()
