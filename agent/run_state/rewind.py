"""Rewinds: a conversation returns to an earlier step, and later steps are summarised in one line.

A step that rewinds stores the number of its target in the data of an observation (`back_to`), so that the messages to a
model remain a pure function of the records. Steps after the target are kept if the user, a proof or the strategy wrote
them.

A rewind by the user (undo, redo, or replacing steps by a summary) leaves no summary line: the conversation continues
from step `rewind` (0: it is empty). The model sees the rewinding step itself only if it is a summary (`told`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from tools.base import metadata_of
from trajectories.records import Observation, Step

BACK_TO, REWIND, TOLD = "back_to", "rewind", "told"
LINE, SAFETY, HINT = "undo", "safety", "hint"
"""Authors of special steps: summaries of omitted steps, the regression guard's messages, and hints about loops."""
LONGEST, LONGEST_ACTION, LONGEST_ANSWER = 1_000, 80, 120


def rewind_target(step: Step) -> int | None:
    """Return the number of the step that this one rewinds to; None if it does not rewind."""
    numbers = [seen.data[BACK_TO] for seen in step.observations if BACK_TO in seen.data]
    return min(numbers, default=None)


def rewinds(step: Step) -> int | None:
    """Return the number of the step to which the user rewound the conversation in this step: 0 for an empty
    conversation, None if this step is not such a rewind."""
    return next((seen.data[REWIND] for seen in step.observations if REWIND in seen.data), None)


def active_steps(steps: Sequence[Step], replies: float = math.inf) -> list[Step]:
    """Return the steps that lead to the current one, without those that a rewind by the user abandoned: all of them, or
    those since the last `replies` replies."""
    found: list[Step] = []
    last: float = math.inf
    for step in reversed(steps):
        if step.n <= last:
            found.append(step)
            replies -= step.reply is not None
            if replies <= 0:
                break
            number = rewinds(step)
            last = last if number is None else number
    return found[::-1]


def visible_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that a model sees, with a one-line summary in place of the reverted ones."""
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
    """Return whether the conversation that the last reply answered is no longer a prefix of the current one."""
    last = next((at for at in reversed(range(len(steps))) if steps[at].reply is not None), 0)
    if all(rewind_target(step) is None and rewinds(step) is None for step in steps[last:]):
        return False
    before = visible_steps(steps[:last])
    return visible_steps(steps)[: len(before)] != before


def _summarise_attempts(steps: list[Step], target: int) -> list[Step]:
    """Return the steps, with a one-line summary in place of the attempts after step `target`."""
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
    """Return descriptions of a step's actions, with the results of test runs and failed actions; read-only actions are
    skipped."""
    if step.reply is None:
        return [_line(seen.text.strip("[]."), LONGEST // 2) for seen in step.observations if step.author != HINT]
    return [
        _action(action.tool, action.arguments.values()) + (f" ({_line(seen.text, LONGEST_ANSWER)})" if shown else "")
        for action, seen in zip(step.actions, step.observations, strict=False)
        for tool in [metadata_of(action.tool)]
        for shown in [tool.result == "tests" or not seen.ok]
        if not tool.only_looks
    ]


def _action(tool: str, values: Iterable[object]) -> str:
    said = next((" ".join(str(value).split()) for value in itertools.islice(values, 1)), "")
    return _cut(f"{tool} {said}".strip(), LONGEST_ACTION)


def _line(text: str, most: int) -> str:
    return _cut(next((line.strip() for line in text.splitlines() if line.strip()), ""), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
