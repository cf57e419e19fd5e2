"""Rewinds: a conversation returns to an earlier step, and later steps are summarised in one line.

A step that rewinds stores the number of its target in the data of an observation (`back_to`), so that the messages to a
model remain a pure function of the records. Steps after the target that others wrote (the user, a proof, the strategy)
are kept.

A rewind by the user (`rewind`: undo, redo, a summary in place of the steps) leaves no trace: the conversation becomes
the one after step `rewind` (0: empty). The step itself is visible only if it is a summary (`told`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from trajectories.records import Observation, Step

BACK_TO, REWIND, TOLD = "back_to", "rewind", "told"
LINE, SAFETY, HINT = "undo", "safety", "hint"
"""Authors of steps: the line that summarises omitted steps, the regression guard's messages, hints about loops."""
READ_ONLY_TOOLS = {"view", "search", "symbols"}
LONGEST, LONGEST_ACTION, LONGEST_ANSWER = 1_000, 80, 120


def rewind_target(step: Step) -> int | None:
    """Return the number of the step that this one rewinds to; None if it does not rewind."""
    numbers = [seen.data[BACK_TO] for seen in step.observations if BACK_TO in seen.data]
    return min(numbers, default=None)


def rewinds(step: Step) -> int | None:
    """Return the number of the step from which the conversation continues after a rewind by the user; 0 for an empty
    conversation, None if this step is no such rewind."""
    return next((seen.data[REWIND] for seen in step.observations if REWIND in seen.data), None)


def active_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that lead to the present one, without those that a rewind abandoned."""
    found: list[Step] = []
    last: float = math.inf
    for step in reversed(steps):
        if step.n <= last:
            found.append(step)
            number = rewinds(step)
            last = last if number is None else number
    return found[::-1]


def visible_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that a model sees: a line summarises those that were reverted."""
    wanted = {number for step in steps if (number := rewinds(step)) is not None}
    known: dict[int, list[Step]] = {0: []}
    kept: list[Step] = []
    for step in steps:
        if (number := rewinds(step)) is not None:
            kept = list(known[number])
        elif (target := rewind_target(step)) is not None:
            kept = _summarise_attempts(kept, target)
        if number is None or any(seen.data.get(TOLD) for seen in step.observations):
            kept.append(step)
        if step.n in wanted:
            known[step.n] = list(kept)
    return kept


def is_rewritten(steps: Sequence[Step]) -> bool:
    """Return whether the last reply answers a conversation that is not a prefix of the present one."""
    last = next((at for at in reversed(range(len(steps))) if steps[at].reply is not None), 0)
    if all(rewind_target(step) is None and rewinds(step) is None for step in steps[last:]):
        return False
    before = visible_steps(steps[:last])
    return visible_steps(steps)[: len(before)] != before


def _summarise_attempts(steps: list[Step], target: int) -> list[Step]:
    """Return the steps, with a single line in place of the attempts after step `target`."""
    attempts = [step for step in steps if step.n > target and _is_attempt(step)]
    if not attempts:
        return steps
    text = f"[Your attempts here were reverted and are omitted: {_cut(_attempts(attempts), LONGEST)}.]"
    line = Step(attempts[0].branch, attempts[0].n, "", LINE, "", observations=(Observation(text),), at=0.0)
    first = steps.index(attempts[0])
    return [*steps[:first], line, *(step for step in steps[first:] if step not in attempts)]


def _is_attempt(step: Step) -> bool:
    return step.reply is not None or step.author in (LINE, SAFETY, HINT)


def summarise_attempts(steps: Iterable[Step]) -> str:
    """Return a one-line summary of what these steps did, without actions that only read."""
    return _cut(_attempts(filter(_is_attempt, steps)), LONGEST)


def _attempts(steps: Iterable[Step]) -> str:
    return "; ".join(part for step in steps for part in _describe(step))


def _describe(step: Step) -> list[str]:
    """Return what a step did, with results where they matter; actions that only read are skipped."""
    if step.reply is None:
        return [_line(seen.text.strip("[]."), LONGEST // 2) for seen in step.observations if step.author != HINT]
    return [
        _action(action.tool, action.arguments.values()) + (f" ({_line(seen.text, LONGEST_ANSWER)})" if shown else "")
        for action, seen in zip(step.actions, step.observations, strict=False)
        for shown in [action.tool == "run_tests" or not seen.ok]
        if action.tool not in READ_ONLY_TOOLS
    ]


def _action(tool: str, values: Iterable[object]) -> str:
    said = next((" ".join(str(value).split()) for value in itertools.islice(values, 1)), "")
    return _cut(f"{tool} {said}".strip(), LONGEST_ACTION)


def _line(text: str, most: int) -> str:
    return _cut(next((line.strip() for line in text.splitlines() if line.strip()), ""), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
