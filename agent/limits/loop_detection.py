"""Loop detection: a conversation that repeats itself gets a hint first, then it is ended."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trajectories.errors import GivenUp, Stuck
from trajectories.records import Step

ROUNDS, LONGEST_CYCLE, IDLE = 3, 3, 3
"""The number of repetitions of a cycle that count as a loop, the maximum length of a cycle in steps (1: the same step
again), and the number of consecutive replies without an action that end the attempt."""
HINT = "hint"
"""The author of the hint's step."""
GRACE = 4
"""The number of replies after a hint during which a loop ends the attempt; the first of these replies ends it if it
continues the loop."""
REPLIES = max(ROUNDS * LONGEST_CYCLE, GRACE + 1)
"""The number of replies that are enough to detect a loop."""
_VARYING = re.compile(
    r"(?<!\d)\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
    r"|\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b|\b(?:out|step):[\d.]+|0x[0-9a-f]+"
)

REPEATED = (
    f"You repeated the same actions with the same results {ROUNDS} times. Look elsewhere, or change your approach; "
    "if something takes long, wait for it in one command. If this continues, the run ends."
)
ALTERNATING = (
    "You alternate between the same {n} steps. Decide, or find out how they differ. If this continues, the run ends."
)
NO_ACTIONS = f"The model gave {IDLE} replies without an action."
LONGEST_WORD = 1_000
"""Maximum number of characters of a model's reason to give up."""
ADVICE = "Try another model or strategy, or add details to the issue."


def loop_hint(steps: Sequence[Step]) -> str:
    """Return a hint for a conversation that loops; "" if it does not. `steps` may start at the last `REPLIES` replies.

    Raises Stuck if the loop persists within GRACE replies of a hint, or if the model never acts; raises GivenUp if the
    model submits without a change for the second time, or after a reply without an action, and explains why no fix is
    needed.
    """
    replied = [step for step in steps if step.reply is not None]
    reason = empty_submission(replied[-1]) if replied else ""
    if reason and len(replied) > 1 and (not replied[-2].actions or empty_submission(replied[-2]) is not None):
        word = reason if len(reason) <= LONGEST_WORD else f"{reason[:LONGEST_WORD]}…"
        raise GivenUp(f"The model says: {word}{'' if word.endswith(('.', '!', '?', '…')) else '.'}", ADVICE)
    if len(replied) >= IDLE and not any(step.actions for step in replied[-IDLE:]):
        raise Stuck(NO_ACTIONS, ADVICE)
    states = [_state(step) for step in replied[-ROUNDS * LONGEST_CYCLE :]]
    length = next((n for n in range(1, LONGEST_CYCLE + 1) if _cycles(states, n)), 0)
    if not length:
        return ""
    sign = REPEATED if length == 1 else ALTERNATING.format(n=length)
    return sign if _since_hint(steps) > GRACE else _give_up(sign)


def empty_submission(step: Step) -> str | None:
    """Return the model's reason for submitting without a change in this step ("" if it gave none); None for other
    steps."""
    reason = step.observations[-1].data.get("unchanged") if step.observations else None
    return None if reason is None else " ".join(str(reason).split())


def _cycles(states: Sequence[str], length: int) -> bool:
    """Return whether the last states are a sequence of `length` states that is repeated ROUNDS times."""
    last = states[-ROUNDS * length :]
    return len(last) == ROUNDS * length and last[length:] == last[:-length]


def _give_up(sign: str) -> str:
    raise Stuck(f"The model ignored a hint about its loop: {sign.partition('. ')[0]}.", ADVICE)


def _since_hint(steps: Sequence[Step]) -> int:
    """Return the number of replies since the last hint; more than GRACE if there was none."""
    count = 0
    for step in reversed(steps):
        if step.author == HINT:
            return count
        count += step.reply is not None
    return GRACE + 1


def _state(step: Step) -> str:
    """Return the actions and results of a step, without values that vary (times, addresses)."""
    done = [[action.tool, action.arguments] for action in step.actions]
    seen = [_VARYING.sub("#", observation.text) for observation in step.observations]
    return json.dumps([done, seen, step.tree], sort_keys=True)
