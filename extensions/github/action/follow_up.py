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
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.turn_state import BUILD, HEAD, MAIN
from extensions.github.action.run_archive import restore_run
from extensions.github.follow_up_turns import FOLLOW_UP_SETTINGS, start_turn
from extensions.github.task.task_text import issue_of, request_of
from extensions.replay.run_fork import Origin, find_origin, fork
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import is_started, read
from trajectories.records import Note

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from extensions.github.task.task_request import TaskRequest


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
