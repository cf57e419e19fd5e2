"""Rewinds: a conversation returns to an earlier step, and later steps are summarised in one line.

A step that rewinds stores the number of its target in the data of an observation (`back_to`), so that the messages to a
model remain a pure function of the records. Steps after the target are kept if the user, a proof or the strategy wrote
them.

A rewind by the user (undo, redo, or replacing steps by a summary) leaves no summary line: the conversation continues
from step `rewind` (0: it is empty). The model sees the rewinding step itself only if it is a summary (`told`).

The turns of a session that can be undone or redone are derived from the records.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.run_state.strategy_traits import is_by_hand, is_read_only
from agent.run_state.turn_state import MAIN, TASK_AUTHOR
from tools.base import metadata_of
from trajectories.errors import UsageError
from trajectories.records import Exit, Observation, Step, Turn
from trajectories.trajectory import Trajectory

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


AUTHOR = "undo"
UNFINISHED = {"interrupted", "budget", "limit", "stuck", "error", "not_found", "asked"}
WORDS = "Write /undo, or /undo 2 for the last two turns; /redo likewise."


@dataclass(frozen=True, slots=True)
class Mark:
    """A state to rewind to: after step `number` of the main branch, with the files of `tree`."""

    number: int
    tree: str


@dataclass(frozen=True, slots=True)
class UndoneTurns:
    """A turn and the read-only turns that follow it: the states before and after all of them."""

    request: str
    before: Mark
    after: Mark


@dataclass(frozen=True, slots=True)
class TurnHistory:
    """The turns that are in effect (`done`), and those that can be redone (`undone`); the next turn to undo or redo is
    the last of each."""

    done: tuple[UndoneTurns, ...] = ()
    undone: tuple[UndoneTurns, ...] = ()


def turn_history(trajectory: Trajectory) -> TurnHistory:
    """Return the history of the turns before the current one."""
    done: list[UndoneTurns] = []
    undone: list[UndoneTurns] = []
    for number, turn in enumerate(trajectory.turns[:-1]):
        before, after = _marks(trajectory, number)
        steps = [step for step in trajectory.steps[MAIN] if before.number < step.n <= after.number]
        if turn.strategy == AUTHOR:
            count = next((_count(step) for step in steps if _is_rewind(step)), 0)
            source, target = (done, undone) if count > 0 else (undone, done)
            for _ in range(abs(count)):
                target.append(source.pop())
        elif before.tree == after.tree and steps and all(rewinds(step) == before.number for step in steps):
            continue  # the turn had no effect
        elif done and before.tree == after.tree and is_read_only(turn.strategy) and not any(map(_is_rewind, steps)):
            done[-1] = UndoneTurns(done[-1].request, done[-1].before, after)
        else:
            done.append(UndoneTurns(_request(trajectory, number, turn), before, after))
            undone.clear()
    return TurnHistory(tuple(done), tuple(undone))


def turn_start(trajectory: Trajectory, number: int) -> Mark:
    """Return the state before turn `number`, counted from 0."""
    return _mark(trajectory, trajectory.turns_at[number], trajectory.run.base.tree if trajectory.run else "")


def abandoned_turn_start(trajectory: Trajectory) -> int | None:
    """Return the number of the step before the previous turn if that turn was the user's own action and did not finish;
    otherwise None.

    Messages of such a turn are not part of the conversation.
    """
    if len(trajectory.turns) < 2 or not is_by_hand(trajectory.turns[-2].strategy):
        return None
    before, after = _marks(trajectory, len(trajectory.turns) - 2)
    steps = [step for step in trajectory.steps[MAIN] if before.number < step.n <= after.number]
    ended = next((r for r in reversed(trajectory.before_turn) if isinstance(r, Exit)), None)
    asked = any(step.reply is not None or step.author == TASK_AUTHOR for step in steps)
    hangs = ended is not None and ended.kind in UNFINISHED and asked and not any(map(_is_rewind, steps))
    return before.number if hangs else None


def undo_count(words: str) -> int:
    """Return the number of turns that `/undo N` undoes; negative for `/redo N`. Raises UsageError."""
    what, _, number = words.strip().removeprefix("/").partition(" ")
    count = int(number) if number.strip().isascii() and number.strip().isdigit() else 0 if number.strip() else 1
    if what not in ("undo", "redo") or not count:
        raise UsageError(f"{words.strip()!r} is not a number of turns.", WORDS)
    return count if what == "undo" else -count


def _count(step: Step) -> int:
    return next((int(seen.data["turns"]) for seen in step.observations if "turns" in seen.data), 0)


def _is_rewind(step: Step) -> bool:
    return rewinds(step) is not None


def _request(trajectory: Trajectory, number: int, turn: Turn) -> str:
    return turn.request if number or trajectory.run is None else trajectory.run.issue.title


def _marks(trajectory: Trajectory, number: int) -> tuple[Mark, Mark]:
    """Return the states at the start and the end of a turn."""
    first, last = trajectory.turns_at[number], trajectory.turns_at[number + 1]
    base = trajectory.run.base.tree if trajectory.run else ""
    return _mark(trajectory, first, base), _mark(trajectory, last, base)


def _mark(trajectory: Trajectory, end: int, base: str) -> Mark:
    """Return the state before record number `end`."""
    steps, tree = 0, ""
    for at in range(end - 1, -1, -1):
        record = trajectory.records[at]
        if isinstance(record, Exit):
            tree = tree or record.tree
        elif isinstance(record, Step) and record.branch == MAIN:
            return Mark(record.n, tree or record.tree)
    return Mark(steps, tree or base)
