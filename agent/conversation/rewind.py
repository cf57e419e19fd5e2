"""Going back in a conversation: what came after the step gone back to is told in one line, and left out.

A step that goes back says so in the data of an observation (`back_to`: the number of the step it goes back to), so what
a model is sent stays a pure function of the records. What others said meanwhile (a user, a proof, the strategy) stays.

A step that a user goes back with (`rewind`: undo, redo, a summary in place of all) leaves nothing of it: the
conversation is from then on what it was after step `rewind` (0: nothing), and the step itself is told only if it is a
summary (`told`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from trajectories.records import Observation, Step

BACK_TO, REWIND, TOLD = "back_to", "rewind", "told"
LINE, SAFETY, HINT = "undo", "safety", "hint"
"""Authors: of the line that stands for what is left out, of what the safety net says, of what ends circles."""
LOOKS = {"view", "search", "symbols"}
LONGEST, LONGEST_ACTION, LONGEST_ANSWER = 1_000, 80, 120


def goes_back(step: Step) -> int | None:
    """The number of the step that this one goes back to."""
    numbers = [seen.data[BACK_TO] for seen in step.observations if BACK_TO in seen.data]
    return min(numbers, default=None)


def rewinds(step: Step) -> int | None:
    """The number of the step whose conversation goes on after this one; 0 for none."""
    return next((seen.data[REWIND] for seen in step.observations if REWIND in seen.data), None)


def of_line(steps: Sequence[Step]) -> list[Step]:
    """The steps that lead to the present one: without what a rewind left behind."""
    found: list[Step] = []
    last: float = math.inf
    for step in reversed(steps):
        if step.n <= last:
            found.append(step)
            number = rewinds(step)
            last = last if number is None else number
    return found[::-1]


def in_short(steps: Sequence[Step]) -> list[Step]:
    """The steps as a model is to read them: where one goes back, a line in place of what came in between."""
    wanted = {number for step in steps if (number := rewinds(step)) is not None}
    known: dict[int, list[Step]] = {0: []}
    kept: list[Step] = []
    for step in steps:
        if (number := rewinds(step)) is not None:
            kept = list(known[number])
        elif (target := goes_back(step)) is not None:
            kept = _without(kept, target)
        if number is None or any(seen.data.get(TOLD) for seen in step.observations):
            kept.append(step)
        if step.n in wanted:
            known[step.n] = list(kept)
    return kept


def is_rewritten(steps: Sequence[Step]) -> bool:
    """Whether the last reply was to a conversation that is not the beginning of the present one."""
    last = next((at for at in reversed(range(len(steps))) if steps[at].reply is not None), 0)
    if all(goes_back(step) is None and rewinds(step) is None for step in steps[last:]):
        return False
    before = in_short(steps[:last])
    return in_short(steps)[: len(before)] != before


def _without(steps: list[Step], target: int) -> list[Step]:
    """The steps with one line for what was tried after step `target`."""
    tried = [step for step in steps if step.n > target and _is_tried(step)]
    if not tried:
        return steps
    told = f"[What you tried here was taken back, and is left out: {_cut(_attempts(tried), LONGEST)}.]"
    line = Step(tried[0].branch, tried[0].n, "", LINE, "", observations=(Observation(told),), at=0.0)
    first = steps.index(tried[0])
    return [*steps[:first], line, *(step for step in steps[first:] if step not in tried)]


def _is_tried(step: Step) -> bool:
    return step.reply is not None or step.author in (LINE, SAFETY, HINT)


def attempts_in(steps: Iterable[Step]) -> str:
    """What these steps did, in a line, without what only looked."""
    return _cut(_attempts(filter(_is_tried, steps)), LONGEST)


def _attempts(steps: Iterable[Step]) -> str:
    return "; ".join(part for step in steps for part in _told(step))


def _told(step: Step) -> list[str]:
    """What a step did, and what came of it where that matters; what only looks is passed over."""
    if step.reply is None:
        return [_line(seen.text.strip("[]."), LONGEST // 2) for seen in step.observations if step.author != HINT]
    return [
        _action(action.tool, action.arguments.values()) + (f" ({_line(seen.text, LONGEST_ANSWER)})" if shown else "")
        for action, seen in zip(step.actions, step.observations, strict=False)
        for shown in [action.tool == "run_tests" or not seen.ok]
        if action.tool not in LOOKS
    ]


def _action(tool: str, values: Iterable[object]) -> str:
    said = next((" ".join(str(value).split()) for value in itertools.islice(values, 1)), "")
    return _cut(f"{tool} {said}".strip(), LONGEST_ACTION)


def _line(text: str, most: int) -> str:
    return _cut(next((line.strip() for line in text.splitlines() if line.strip()), ""), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
