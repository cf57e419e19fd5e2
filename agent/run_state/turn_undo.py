"""What of a session can be taken back, and brought again: its turns, read off the records."""

from __future__ import annotations

from dataclasses import dataclass

from agent.backtrack import rewinds
from agent.context import ASKING
from agent.standing import MAIN
from agent.traits import is_by_hand, looks
from trajectories.errors import UsageError
from trajectories.records import Exit, Step, Turn
from trajectories.trajectory import Trajectory

AUTHOR = "undo"
UNFINISHED = {"interrupted", "budget", "limit", "stuck", "error", "not_found"}
WORDS = "Write /undo, or /undo 2 for the last two turns; /redo likewise."


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to go to: after step `number` of the main branch, files as in `tree`."""

    number: int
    tree: str


@dataclass(frozen=True, slots=True)
class Doing:
    """A turn, with those after it that only looked: from where to where it went."""

    request: str
    before: Mark
    after: Mark


@dataclass(frozen=True, slots=True)
class Past:
    """What was done and stands, and what was undone and can be done again, the next one last."""

    done: tuple[Doing, ...] = ()
    undone: tuple[Doing, ...] = ()


def past(trajectory: Trajectory) -> Past:
    """Of the turns before the present one."""
    done: list[Doing] = []
    undone: list[Doing] = []
    for number, turn in enumerate(trajectory.turns[:-1]):
        before, after = _marks(trajectory, number)
        steps = [step for step in trajectory.steps[MAIN] if before.number < step.n <= after.number]
        if turn.strategy == AUTHOR:
            count = next((_count(step) for step in steps if _goes(step)), 0)
            source, target = (done, undone) if count > 0 else (undone, done)
            for _ in range(abs(count)):
                target.append(source.pop())
        elif before.tree == after.tree and steps and all(rewinds(step) == before.number for step in steps):
            continue  # nothing came of it
        elif done and before.tree == after.tree and looks(turn.strategy) and not any(map(_goes, steps)):
            done[-1] = Doing(done[-1].request, done[-1].before, after)
        else:
            done.append(Doing(_request(trajectory, number, turn), before, after))
            undone.clear()
    return Past(tuple(done), tuple(undone))


def left_hanging(trajectory: Trajectory) -> int | None:
    """The step before the last turn, if that was something by hand which did not come to its end: what it has said so
    far is no part of the conversation."""
    if len(trajectory.turns) < 2 or not is_by_hand(trajectory.turns[-2].strategy):
        return None
    before, after = _marks(trajectory, len(trajectory.turns) - 2)
    steps = [step for step in trajectory.steps[MAIN] if before.number < step.n <= after.number]
    ended = next((r for r in reversed(trajectory.before_turn) if isinstance(r, Exit)), None)
    asked = any(step.reply is not None or step.author == ASKING for step in steps)
    hangs = ended is not None and ended.kind in UNFINISHED and asked and not any(map(_goes, steps))
    return before.number if hangs else None


def wanted(words: str) -> int:
    """How many turns `/undo N` takes back; for `/redo N` as a negative number. Raises UsageError."""
    what, _, number = words.strip().removeprefix("/").partition(" ")
    count = int(number) if number.strip().isascii() and number.strip().isdigit() else 0 if number.strip() else 1
    if what not in ("undo", "redo") or not count:
        raise UsageError(f"{words.strip()!r} says not how many turns.", WORDS)
    return count if what == "undo" else -count


def _count(step: Step) -> int:
    return next((int(seen.data["turns"]) for seen in step.observations if "turns" in seen.data), 0)


def _goes(step: Step) -> bool:
    return rewinds(step) is not None


def _request(trajectory: Trajectory, number: int, turn: Turn) -> str:
    return turn.request if number or trajectory.run is None else trajectory.run.issue.title


def _marks(trajectory: Trajectory, number: int) -> tuple[Mark, Mark]:
    """Where a turn began and where it ended."""
    first, last = trajectory.turns_at[number], trajectory.turns_at[number + 1]
    base = trajectory.run.base.tree if trajectory.run else ""
    return _mark(trajectory, first, base), _mark(trajectory, last, base)


def _mark(trajectory: Trajectory, end: int, base: str) -> Mark:
    """How things stood before record number `end`."""
    steps, tree = 0, ""
    for at in range(end - 1, -1, -1):
        record = trajectory.records[at]
        if isinstance(record, Exit):
            tree = tree or record.tree
        elif isinstance(record, Step) and record.branch == MAIN:
            return Mark(record.n, tree or record.tree)
    return Mark(steps, tree or base)
