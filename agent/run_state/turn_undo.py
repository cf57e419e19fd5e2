"""Undo and redo: the turns of a session that can be undone or redone, derived from the records."""

from __future__ import annotations

from dataclasses import dataclass

from agent.run_state.rewind import rewinds
from agent.run_state.strategy_traits import is_by_hand, is_read_only
from agent.run_state.turn_state import MAIN, TASK_AUTHOR
from trajectories.errors import UsageError
from trajectories.records import Exit, Step, Turn
from trajectories.trajectory import Trajectory

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
