"""Follow-up requests in one of the Action's pull requests, which continue that pull request's run as the next turn of a
conversation.

A fork of the run gets two turns: the model answers or changes files (`build`), then all changes go through the whole
proof (`prove`). If the earlier run no longer exists, a new run starts at the pull request's head, with the pull
request's text as the issue.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.repository.plain_folder import reopen_repository
from agent.config.settings import Settings, load_settings
from agent.console.foreground_run import solve_and_show
from agent.engine.engine import Engine
from agent.github.action.run_archive import restore_run
from agent.github.task.task_text import issue_of, request_of
from agent.lifecycle.run_lifecycle import begin, reopen, result
from agent.lifecycle.turn_lifecycle import next_turn
from agent.run_state.follow_up_head import BUILD, HEAD, PROVE
from agent.run_state.merge_base import EFFECT, MOVED, effects, find_merge_base
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.turn_state import MAIN
from agent.runs.run_fork import Origin, find_origin, fork
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import is_started, read
from trajectories.records import Exit, Note, Turn

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.console.run_display import Console
    from agent.github.task.task_request import TaskRequest
    from agent.lifecycle.run_result import Result

PULL = "pull"
FOLLOW_UP_SETTINGS = {"update_tests": True}
"""A follow-up may change the pull request's tests; the proof uses the base's tests."""


def open_follow_up(
    task: TaskRequest,
    name: str,
    source: Repository,
    parent: Path | None,
    flags: Mapping[str, Any],
    notify: Callable[[ProgressEvent], object],
) -> Engine:
    """Start the follow-up's run and its turn, or reopen the run in the state in which an earlier process left it.

    `parent` is the archived folder of the pull request's run.
    """
    given = {**flags, **FOLLOW_UP_SETTINGS, "strategy": BUILD}
    known = load_settings(**given)
    directory, copy = known.runs / name, known.state / "parents" / name
    if not is_started(directory):
        shutil.rmtree(directory, ignore_errors=True)
        earlier = earlier_run(parent, copy, source, known, task.issue.labels)
        base = earlier.run.base.commit if earlier else task.base
        # The earlier run's settings are not reused.
        settings = load_settings(source.file(".swe-agent.toml", base) or b"", **given)
        if earlier is not None:
            fork(earlier, settings, name=name)
        else:
            begin(issue_of(task), source, settings, task.base, name)
    engine = reopen(directory, known.state, notify)
    try:
        if any(note.kind == "forked" for note in engine.trajectory.notes):
            start_turn(engine, request_of(task), task.issue.images, copy, task.base)
        elif not any(HEAD in note.data for note in engine.trajectory.notes):
            engine.journal.append(Note(MAIN, "life", f"begun at {task.base}", {HEAD: task.base}))
    except BaseException:
        engine.close()
        raise
    return engine


def run_follow_up(engine: Engine, console: Console) -> Result:
    """Run the current turn and, if it changed files, a proof of everything that the run changed."""
    ended = solve_and_show(engine, console) if engine.trajectory.exit is None else result(engine)
    if engine.trajectory.turns[-1].strategy == PROVE or ended.exit.tree == ended.began:
        return ended
    next_turn(engine, "", PROVE, engine.settings.model_copy(update={"strategy": PROVE}))
    return solve_and_show(engine, console)


def earlier_run(
    parent: Path | None, copy: Path, source: Repository, settings: Settings, labels: Sequence[str]
) -> Origin | None:
    """Return the last step of the pull request's run, moved to this checkout; None if it cannot be continued.

    Its issue gets the present labels, which decide whether its exploit is withheld.
    """
    if parent is None:
        return None
    shutil.rmtree(copy, ignore_errors=True)
    try:
        restore_run(parent, copy)
        steps = read(copy).steps[MAIN]
        if not steps:
            return None
        found = find_origin(f"{copy}@{steps[-1].id}", settings, trusted=True)
        reopen_repository(str(source.root), settings.state, found.run.base.commit)
        source.commit(found.run.base.commit)
    except (RunBroken, UsageError):
        return None
    issue = replace(found.run.issue, labels=tuple(labels))
    return replace(found, run=replace(found.run, repository=str(source.root), issue=issue))


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
