"""Follow-up turns of a run whose patch went into a pull request: a request, then a proof of everything that changed.

The model answers or changes files (`build`), then all changes go through the whole proof (`prove`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.console.foreground_run import solve_and_show
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import result
from agent.lifecycle.turn_lifecycle import next_turn
from agent.run_state.merge_base import EFFECT, MOVED, effects, find_merge_base
from agent.run_state.turn_state import BUILD, HEAD, MAIN, PROVE
from trajectories.journal import read
from trajectories.records import Exit, Note, Turn

if TYPE_CHECKING:
    from agent.console.run_display import Console
    from agent.lifecycle.run_result import Result

PULL = "pull"
FOLLOW_UP_SETTINGS = {"update_tests": True}
"""A follow-up may change the pull request's tests; the proof uses the base's tests."""
CI_REQUEST = (
    "CI failed on the last commit of this pull request. Find the cause in the logs and in the code, and fix it. Do not "
    "skip, delete or weaken a test to make CI pass. If the pull request does not cause the failure, change nothing and "
    "say what does."
)
"""The request of a follow-up that starts because CI failed. It has no words of the CI run."""


def run_follow_up(engine: Engine, console: Console) -> Result:
    """Run the current turn and, if it changed files, a proof of everything that the run changed."""
    ended = solve_and_show(engine, console) if engine.trajectory.exit is None else result(engine)
    if engine.trajectory.turns[-1].strategy == PROVE or ended.exit.tree == ended.began:
        return ended
    next_turn(engine, "", PROVE, engine.settings.model_copy(update={"strategy": PROVE}))
    return solve_and_show(engine, console)


def start_turn(engine: Engine, request: str, images: Sequence[str], copy: Path, head: str) -> None:
    """Record the result of the earlier run, whose folder is `copy`, as merged into the pull request, then start the
    next turn at the commit `head`; a repeated call repeats neither."""
    records = engine.trajectory.records
    forked = max(at for at, record in enumerate(records) if isinstance(record, Note) and record.kind == "forked")
    since = records[forked:]
    if not any(isinstance(record, Exit) for record in since):
        last = engine.trajectory.steps[MAIN][-1]
        ended = read(copy).exit or Exit("interrupted", 130, last.tree)
        both = find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree).tree
        number = 1 + sum(1 for _ in effects(engine.trajectory, PULL))
        data = {EFFECT: f"{PULL} {number}", MOVED: [both, ended.tree], HEAD: head}
        engine.journal.append(Note(MAIN, "done", "The patch went into the pull request.", data), ended)
    if not any(isinstance(record, Turn) for record in since):
        next_turn(engine, request, BUILD, engine.settings, images)
