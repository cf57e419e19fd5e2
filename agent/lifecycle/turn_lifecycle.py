"""The turns of a run: start the next one, resume an interrupted one, or end it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.conversation.model_roles import assign_roles, needs_model, validate_models
from agent.engine.branch import INTERRUPTED
from agent.engine.strategy_prompts import load_prompts
from agent.engine.tool_servers import check_servers
from agent.run_state.turn_state import MAIN, current_tree
from trajectories.records import Exit, Note, Observation, Reply, Step, Turn

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.engine.engine import Engine


def next_turn(
    engine: Engine,
    request: str,
    strategy: str,
    settings: Settings,
    images: Sequence[str] = (),
    attachments: str = "",
) -> None:
    """Record the next turn, after the previous one has ended.

    Raises ConfigError and UsageError for an unavailable model, strategy or extension, before anything is recorded.
    """
    if needs_model(strategy):
        settings, _ = validate_models(settings, strategy)
    check_servers(settings)
    prompts = load_prompts(strategy, settings.prompts)
    before = engine.settings.recorded()
    changed = {name: value for name, value in settings.recorded().items() if value != before[name]}
    own = {} if prompts == engine.run.prompts else prompts
    turn = Turn(request, strategy, assign_roles(settings, strategy), own, changed, tuple(images), attachments)
    engine.next_turn(turn, settings)


def resume_turn(engine: Engine, words: str = "") -> None:
    """Prepare to resume an interrupted turn, with the user's message if there is one.

    The time since the interrupt does not count towards the run's time. If there is a message, the pending actions of
    the last reply are not run, because the model wrote it without knowing the message.
    """
    notes = [Note(MAIN, "life", "gone on with"), *([Note(MAIN, "message", words)] if words else [])]
    engine.journal.append(*notes)
    engine.cancel.clear()


def end_interrupted(engine: Engine) -> None:
    """End an interrupted turn at its current tree instead of resuming it.

    The model's pending actions get observations, so that the model knows in the next turn that they were not run.
    """
    trajectory = engine.trajectory
    tree = current_tree(trajectory, engine.run.base.tree)
    steps = trajectory.steps[MAIN]
    reply = next((r for r in reversed(trajectory.of_turn) if isinstance(r, Reply) and r.branch == MAIN), None)
    if reply is not None and not any(step.reply == reply.ask for step in steps):
        answers = tuple(Observation(INTERRUPTED, ok=False) for _ in reply.actions)
        parent = steps[-1].id if steps else ""
        engine.journal.append(Step(MAIN, len(steps) + 1, parent, "coder", tree, reply.ask, reply.actions, answers))
    engine.journal.append(Exit("interrupted", 130, tree, seconds=engine.clock.seconds))
