"""The loop: ask, act, yield. Every strategy and every front end consumes this one stream of steps.

After ReAct (Yao et al., arXiv 2210.03629): the model reasons, acts through tools, and reads what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from agent.backtrack import of_line
from agent.stuck import HINT, circling
from trajectories.records import Action, Observation, Step

if TYPE_CHECKING:
    from agent.task import Task

NUDGE = "Your reply had no action, so nothing happened. Call a tool; when the issue is solved, call `submit`."
NUDGED = (Observation(NUDGE, ok=False),)


def submitted(step: Step) -> bool:
    """Whether the model has handed in its work in this step."""
    return any(observation.data.get("submitted") for observation in step.observations)


def answered(step: Step) -> bool:
    """Whether the model has said something to the user, and does nothing more."""
    return step.reply is not None and not step.actions


def loop(
    task: Task,
    until: Callable[[Step], bool] = submitted,
    nudge: Sequence[Observation] = NUDGED,
    written: Callable[[str], Sequence[Action]] | None = None,
    after: Callable[[Step], Generator[Step, None, None]] | None = None,
) -> Generator[Step, None, Step]:
    """Go on until a step satisfies `until`; that step is the result. A reply without an action is answered by `nudge`.
    A model that ends with words reads first what the user has said meanwhile; what it hands in is proven first. Where
    `written` reads actions off the words of a reply, the model is not told of tools. `after` each of its steps
    may come others.

    Raises Stuck when the model goes round in circles, GivenUp when it says that no fix is to be made; what the task's
    limits raise passes through.
    """
    while True:
        reply = task.ask(tools=written is None)
        actions = written(reply.text) if written else reply.actions
        observations = task.act(actions) if actions else nudge
        step = task.step(reply, observations, actions)
        yield step
        if not submitted(step):
            yield from task.net.watch()
        if after:
            yield from after(step)
        if until(step) and not (answered(step) and task.has_mail):
            return step
        if hint := circling(of_line(task.steps[task.first :])):
            yield task.say(hint, author=HINT)
