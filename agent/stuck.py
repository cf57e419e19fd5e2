"""Signs that a conversation goes round in circles: a hint first, then the end."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trajectories.errors import Stuck
from trajectories.records import Step

ROUNDS, LONGEST_CYCLE, IDLE = 3, 3, 3
"""So many rounds of a cycle of so many steps at most (one: the same again), replies without an action in a row."""
HINT = "hint"
"""Author of the step that tells the model."""
GRACE = 4
"""A sign within so many replies after a hint ends the attempt: at once, where the next reply goes on as before."""
_VARYING = re.compile(
    r"(?<!\d)\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
    r"|\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b|\b(?:out|step):[\d.]+|0x[0-9a-f]+"
)

REPEATED = (
    f"You did the same and saw the same {ROUNDS} times. Do something else: look elsewhere, or change your approach; "
    "what takes long, wait for it in one command. Going on like this ends the run."
)
SWINGING = (
    "You go back and forth between the same {n} steps. Decide, or find out what tells them apart. "
    "Going on like this ends the run."
)
TALKING = f"The model gave {IDLE} replies without an action."
ADVICE = "Try another model or strategy, or say more in the issue."


def circling(steps: Sequence[Step]) -> str:
    """A hint for a conversation that shows a sign; "" for one that does not.

    Raises Stuck for a sign within GRACE replies after a hint, and for a model that only talks, which is told each time.
    """
    replied = [step for step in steps if step.reply is not None]
    if len(replied) >= IDLE and not any(step.actions for step in replied[-IDLE:]):
        raise Stuck(TALKING, ADVICE)
    states = [_state(step) for step in replied[-ROUNDS * LONGEST_CYCLE :]]
    length = next((n for n in range(1, LONGEST_CYCLE + 1) if _cycles(states, n)), 0)
    if not length:
        return ""
    sign = REPEATED if length == 1 else SWINGING.format(n=length)
    return sign if _since_hint(steps) > GRACE else _give_up(sign)


def _cycles(states: Sequence[str], length: int) -> bool:
    """Whether the last states are ROUNDS times the same `length` ones."""
    last = states[-ROUNDS * length :]
    return len(last) == ROUNDS * length and last[length:] == last[:-length]


def _give_up(sign: str) -> str:
    raise Stuck(f"The model was told, and went on: {sign.partition('. ')[0]}.", ADVICE)


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
