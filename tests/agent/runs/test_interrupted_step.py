"""A step that the user interrupted in an action: resume, fork and replay take its files from the record."""

from __future__ import annotations

import pytest

from agent.engine.branch import STOPPED
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen
from agent.lifecycle.turn_lifecycle import resume_turn
from agent.runs.run_fork import find_origin, fork, fork_settings
from agent.runs.run_lookup import open_own_run
from agent.runs.run_replay import RunReplay, begin_replay, replay_settings
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import TurnSession, finish_solving
from trajectories.errors import Cancelled
from trajectories.journal import read
from trajectories.records import Step
from trajectories.run_comparison import compare_runs
from trajectories.trajectory import Trajectory

EDIT = act("edit", path="calc.py", old="a - b", new="a + b")
CUT = act("shell", command="echo part > part.txt; echo started; sleep 300", timeout=600)
READ = act("shell", command="cat part.txt calc.py", read_only=True)


@pytest.fixture
def interrupted(talk) -> TurnSession:
    """A session whose first step was interrupted in its second action, after that had changed a file."""
    session = talk(line("Work.", EDIT, CUT, READ, n=1), line("", act("shell", command="cat part.txt"), n=2),
                   line("Done.", n=3))  # fmt: skip

    def stop(engine: Engine, event) -> None:
        if event.kind == "output" and "started" in event.text:
            engine.cancel.set()

    session.on_event = stop
    with pytest.raises(Cancelled):
        session.finish_turn()
    session.on_event = lambda engine, event: None
    (step,) = cut_off_steps(session.engine.trajectory)
    assert [seen.ok for seen in step.observations] == [True, False, False]
    assert files(session, step) == ["calc.py", "part.txt"]
    return session


def cut_off_steps(trajectory: Trajectory) -> list[Step]:
    return [step for step in trajectory.all_steps() if any(seen.text == STOPPED for seen in step.observations)]


def files(session: TurnSession, step: Step) -> list[str]:
    base = session.engine.run.base.tree
    return [change.path for change in session.engine.trees.changed(base, step.tree)]


def finish(session: TurnSession) -> Step:
    """Resume the turn in another process, and return the step after the interrupted one."""
    session.reopen()
    resume_turn(session.engine)
    session.finish_turn()
    return next(step for step in session.steps if step.reply == 2)


@pytest.mark.slow
def test_resumed_run_has_files_of_interrupted_step(interrupted: TurnSession) -> None:
    step = finish(interrupted)
    assert step.observations[0].ok
    assert "part" in step.observations[0].text
    assert len(cut_off_steps(interrupted.engine.trajectory)) == 1, "the step is not repeated"


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
