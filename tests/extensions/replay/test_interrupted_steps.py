"""A step that the user interrupted in an action: fork and replay take its files from the record."""

from __future__ import annotations

import pytest

from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen
from agent.runs.run_lookup import open_own_run
from extensions.replay.run_comparison import compare_runs
from extensions.replay.run_fork import find_origin, fork, fork_settings
from extensions.replay.run_replay import RunReplay, begin_replay, replay_settings
from tests.agent.runs.test_interrupted_step import cut_off_steps, finish, interrupted
from tests.agent.scripted_turns import TurnSession, finish_solving
from trajectories.journal import read

__all__ = ["interrupted"]


@pytest.mark.slow
def test_fork_of_interrupted_step_has_its_files(interrupted: TurnSession) -> None:
    interrupted.engine.close()
    settings = interrupted.bench.settings
    (step,) = cut_off_steps(read(interrupted.bench.directory))
    origin = find_origin(f"{interrupted.bench.directory.name}@{step.id}", settings)
    own = fork_settings(origin).model_copy(update={"state": settings.state})
    engine = reopen(fork(origin, own), settings.state)
    try:
        finish_solving(engine)
        made = next(each for each in engine.trajectory.steps["main"] if each.reply == 2)
        assert "part" in made.observations[0].text
        assert len(cut_off_steps(engine.trajectory)) == 1
    finally:
        engine.close()


@pytest.mark.slow
def test_replay_takes_files_of_interrupted_step_from_record(interrupted: TurnSession) -> None:
    finish(interrupted)
    interrupted.engine.close()
    material = open_own_run(interrupted.bench.directory)
    settings = replay_settings(material, interrupted.bench.settings, None)
    replay = RunReplay(Engine(begin_replay(material, settings), settings), material)
    try:
        list(replay.run())
    finally:
        replay.close()
    assert not replay.parted
    replayed = replay.engine.trajectory
    assert compare_runs(material.trajectory, replayed).differences == ()
    (before,), (after,) = cut_off_steps(material.trajectory), cut_off_steps(replayed)
    assert (after.tree, after.observations[1:]) == (before.tree, before.observations[1:])
    step = next(step for step in replayed.steps["main"] if step.reply == 2)
    assert step.observations[0].ok, "the next step has the files of the action that was cut off"
