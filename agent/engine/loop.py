"""The agent loop: ask the model, run its actions, yield the step. Every strategy and every front end consumes this one
stream of steps.

Based on ReAct (Yao et al., arXiv 2210.03629): the model reasons, acts through tools and reads the results.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from agent.limits.loop_detection import HINT, REPLIES, loop_hint
from agent.run_state.rewind import active_steps
from trajectories.records import Action, Observation, Step

if TYPE_CHECKING:
    from agent.engine.branch import Branch

NUDGE = (
    "Your reply had no action, so nothing happened. Call a tool; when the issue is solved, call `submit`. If no change "
    "is needed, call it too and explain why in `summary`."
)
NUDGED = (Observation(NUDGE, ok=False),)


def is_submission(step: Step) -> bool:
    """Return whether the model has submitted its work in this step."""
    return any(observation.data.get("submitted") for observation in step.observations)


def is_answer(step: Step) -> bool:
    """Return whether the model answered with text only, without an action."""
    return step.reply is not None and not step.actions


def loop(
    branch: Branch,
    until: Callable[[Step], bool] = is_submission,
    nudge: Sequence[Observation] = NUDGED,
    written: Callable[[str], Sequence[Action]] | None = None,
    after: Callable[[Step], Generator[Step, None, None]] | None = None,
) -> Generator[Step, None, Step]:
    """Run steps until one satisfies `until`, and return that step.

    A reply without an action is answered with `nudge`. If the user has sent messages, a text-only answer does not end
    the loop until the model has read them. `written` parses actions from the text of a reply; the model is then not
    offered any tools. `after` is called after each step and may yield more steps.

    Raises Stuck if the model repeats itself, GivenUp if the model says that no fix is needed, and the errors of the
    run's limits.
    """
    while True:
        reply = branch.ask(tools=written is None)
        actions = written(reply.text) if written else reply.actions
        observations = branch.act(actions) if actions else nudge
        yield from branch.delegation.take_steps() if branch.delegation else ()
        step = branch.step(reply, observations, actions)
        yield step
        if not is_submission(step):
            yield from branch.guard.watch()
        if after:
            yield from after(step)
        if until(step) and not (is_answer(step) and branch.has_mail):
            return step
        if hint := loop_hint(active_steps(branch.steps[branch.first :], REPLIES)):
            yield branch.say(hint, author=HINT)
