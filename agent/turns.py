"""Turns of a run: how the next one begins, and how one that was interrupted is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.engine import check_models
from agent.solve import prompts_of
from agent.task import started_at
from trajectories.plugins import find
from trajectories.records import Exit, Turn

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.settings import Settings


def next_turn(engine: Engine, request: str, strategy: str, settings: Settings, images: Sequence[str] = ()) -> None:
    """Put the next turn on the record; the one before has ended. Raises ConfigError and UsageError, with nothing
    written, for a model or a strategy that cannot be had."""
    if find("agent.strategies", strategy, "ROLES", "strategy"):
        settings = settings.model_copy(update={"model": check_models(settings).name})
    prompts = prompts_of(strategy, settings.prompts)
    before = engine.settings.recorded()
    changed = {name: value for name, value in settings.recorded().items() if value != before[name]}
    models = {"coder": settings.model} if settings.model else {}
    own = {} if prompts == engine.run.prompts else prompts
    engine.next_turn(Turn(request, strategy, models, own, changed, tuple(images)), settings)


def end_interrupted(engine: Engine) -> None:
    """Close a turn that was interrupted and is not to be gone on with, at the tree it has come to."""
    trajectory = engine.trajectory
    steps = trajectory.steps["main"]
    tree = steps[-1].tree if steps else started_at(trajectory, engine.run.base.tree)
    engine.journal.append(Exit("interrupted", 130, tree, seconds=engine.seconds))
