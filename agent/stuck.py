"""Signs that a conversation goes round in circles: a hint first, then the end."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trajectories.errors import Stuck
from trajectories.records import Step

SAME, SWINGS, IDLE = 3, 3, 3
"""So many equal steps, swings between two states, replies without an action in a row are a sign."""
HINT = "hint"
"""Author of the step that tells the model."""
GRACE = 4
"""A sign that is still there so many replies after a hint ends the attempt."""
_VARYING = re.compile(r"\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b|\b(?:out|step):[\d.]+|0x[0-9a-f]+")

REPEATED = "You did the same and saw the same {n} times. Do something else: look elsewhere, or change your approach."
SWINGING = "You go back and forth between the same two steps. Decide, or find out what tells them apart."
TALKING = f"The model gave {IDLE} replies without an action."
ADVICE = "Try another model or strategy, or say more in the issue."


def circling(steps: Sequence[Step]) -> str:
    """A hint for a conversation that shows a sign; "" for one that does not.

    Raises Stuck when the sign is still there after a hint, and for a model that only talks, which is told each time.
    """
    replied = [step for step in steps if step.reply is not None]
    if len(replied) >= IDLE and not any(step.actions for step in replied[-IDLE:]):
        raise Stuck(TALKING, ADVICE)
    states = [_state(step) for step in replied[-2 * SWINGS :]]
    if len(states) >= SAME and len(set(states[-SAME:])) == 1:
        sign = REPEATED.format(n=SAME)
    elif len(states) == 2 * SWINGS and len(set(states[::2])) == len(set(states[1::2])) == 1:
        sign = SWINGING
    else:
        return ""
    return sign if _since_hint(steps) > GRACE else _give_up(sign)


def _give_up(sign: str) -> str:
    raise Stuck(f"The model was told, and went on: {sign}", ADVICE)


def _since_hint(steps: Sequence[Step]) -> int:
    """Replies since the last hint; more than GRACE if there was none."""
    count = 0
    for step in reversed(steps):
        if step.author == HINT:
            return count
        count += step.reply is not None
    return GRACE + 1


def _state(step: Step) -> str:
    """What was done and seen, without what differs from run to run (times, addresses)."""
    done = [[action.tool, action.arguments] for action in step.actions]
    seen = [_VARYING.sub("#", observation.text) for observation in step.observations]
    return json.dumps([done, seen, step.tree], sort_keys=True)
