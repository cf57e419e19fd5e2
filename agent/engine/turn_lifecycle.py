"""Turns of a run: how the next one begins, how one that was interrupted goes on, and how it is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.casting import cast, checked, needs_model
from agent.solve import prompts_of
from agent.standing import MAIN, stands_at
from agent.task import INTERRUPTED
from trajectories.records import Exit, Note, Observation, Reply, Step, Turn

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.settings import Settings


def next_turn(engine: Engine, request: str, strategy: str, settings: Settings, images: Sequence[str] = ()) -> None:
    """Put the next turn on the record; the one before has ended. Raises ConfigError and UsageError, with nothing
    written, for a model or a strategy that cannot be had."""
    if needs_model(strategy):
        settings, _ = checked(settings, strategy)
    prompts = prompts_of(strategy, settings.prompts)
    before = engine.settings.recorded()
    changed = {name: value for name, value in settings.recorded().items() if value != before[name]}
    own = {} if prompts == engine.run.prompts else prompts
    engine.next_turn(Turn(request, strategy, cast(settings, strategy), own, changed, tuple(images)), settings)


def go_on(engine: Engine, words: str = "") -> None:
    """Make a turn that was interrupted ready to be solved on, with what the user has to say to it. The time in which it
    was left alone is not the run's. A reply that was not acted on is not, if there are words: it does not know them."""
    notes = [Note(MAIN, "life", "gone on with"), *([Note(MAIN, "message", words)] if words else [])]
    engine.journal.append(*notes)
    engine.cancel.clear()


def end_interrupted(engine: Engine) -> None:
    """Close a turn that was interrupted and is not to be gone on with, at the tree it has come to. What the model
    wanted to do when it was stopped is answered, so that it knows in the next turn that it was not done."""
    trajectory = engine.trajectory
    tree = stands_at(trajectory, engine.run.base.tree)
    steps = trajectory.steps[MAIN]
    reply = next((r for r in reversed(trajectory.of_turn) if isinstance(r, Reply) and r.branch == MAIN), None)
    if reply is not None and not any(step.reply == reply.ask for step in steps):
        seen = tuple(Observation(INTERRUPTED, ok=False) for _ in reply.actions)
        parent = steps[-1].id if steps else ""
        engine.journal.append(Step(MAIN, len(steps) + 1, parent, "coder", tree, reply.ask, reply.actions, seen))
    engine.journal.append(Exit("interrupted", 130, tree, seconds=engine.seconds))
