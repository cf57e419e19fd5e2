"""The run of an issue that continues with the answer to the model's questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.lifecycle.run_lifecycle import reopen
from agent.prompts.quotation import discussion
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.turn_state import MAIN
from extensions.github.action.follow_up import earlier_run
from extensions.replay.run_fork import Origin, fork
from trajectories.errors import WaitsForUser
from trajectories.journal import is_started, read
from trajectories.records import Note

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from extensions.github.task.task_request import TaskRequest

ANSWERED = "The answer to your questions follows, in a comment. A number in it means a question, in your order, and a "
ANSWERED += "letter one of its options, as in 1b. Where it does not answer, assume the first option."


def open_answered_run(
    task: TaskRequest,
    name: str,
    source: Repository,
    parent: Path,
    settings: Settings,
    notify: Callable[[ProgressEvent], object],
) -> Engine | None:
    """Continue the run that asked, whose archived folder is `parent`, with the answer as a message of untrusted text.

    Returns None if the run is gone, did not ask about this issue or started from another commit; the answer is then a
    comment on the issue.
    """
    directory, copy = settings.runs / name, settings.state / "parents" / name
    if not is_started(directory):
        earlier = earlier_run(parent, copy, source, settings, task.issue.labels)
        if earlier is None or earlier.run.base.commit != task.base or not _has_asked(earlier, task):
            return None
        fork(earlier, settings, name=name)
    elif not any(note.kind == "forked" for note in read(directory).notes):
        return None
    engine = reopen(directory, settings.state, notify)
    said = f"{ANSWERED}\n\n{discussion(task.thread)}"
    if not any(note.kind == "message" and note.text == said for note in engine.trajectory.notes):
        engine.journal.append(Note(MAIN, "message", said))
    return engine


def _has_asked(earlier: Origin, task: TaskRequest) -> bool:
    """Return whether a run ended with questions about the task's issue: its archive may be that of another run."""
    ended = earlier.trajectory.exit
    return ended is not None and ended.kind == WaitsForUser.kind and earlier.run.issue.url == task.issue.url
