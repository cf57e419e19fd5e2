"""A step that the user interrupted in an action: resume takes its files from the record."""

from __future__ import annotations

import pytest

from agent.engine.branch import STOPPED
from agent.engine.engine import Engine
from agent.lifecycle.turn_lifecycle import resume_turn
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import TurnSession
from trajectories.errors import Cancelled
from trajectories.records import Step
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
