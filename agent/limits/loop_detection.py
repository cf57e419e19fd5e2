"""Signs that a conversation goes round in circles: a hint first, then the end."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trajectories.errors import GivenUp, Stuck
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
LONGEST_WORD = 1_000
"""Characters of why a model gave up."""
ADVICE = "Try another model or strategy, or say more in the issue."


def circling(steps: Sequence[Step]) -> str:
    """A hint for a conversation that shows a sign; "" for one that does not.

    Raises Stuck for a sign within GRACE replies after a hint, and for a model that only talks, which is told each time;
    GivenUp for one that hands in nothing, is told how to say that no fix is to be made, and says why.
    """
    replied = [step for step in steps if step.reply is not None]
    handed_in = [_handed_in_nothing(step) for step in replied[-2:]]
    if len(handed_in) == 2 and handed_in[0] is not None and handed_in[1]:
        word = handed_in[1] if len(handed_in[1]) <= LONGEST_WORD else f"{handed_in[1][:LONGEST_WORD]}…"
        raise GivenUp(f"The model says: {word}{'' if word.endswith(('.', '!', '?', '…')) else '.'}", ADVICE)
    if len(replied) >= IDLE and not any(step.actions for step in replied[-IDLE:]):
        raise Stuck(TALKING, ADVICE)
    states = [_state(step) for step in replied[-ROUNDS * LONGEST_CYCLE :]]
    length = next((n for n in range(1, LONGEST_CYCLE + 1) if _cycles(states, n)), 0)
    if not length:
        return ""
    sign = REPEATED if length == 1 else SWINGING.format(n=length)
    return sign if _since_hint(steps) > GRACE else _give_up(sign)


def _handed_in_nothing(step: Step) -> str | None:
    """Why, where a step's last doing was to hand in no change ("" where it was not said)."""
    said = step.observations[-1].data.get("unchanged") if step.observations else None
    return None if said is None else " ".join(str(said).split())


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
