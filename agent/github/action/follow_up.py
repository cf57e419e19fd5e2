"""Words in a pull request of ours: its run is forked, and goes on with them as the next turn of a conversation.

Two turns: the model answers or changes files (`build`), and what was changed goes through the whole proof (`prove`).
Where the earlier run is no longer there, a new one begins at the pull request's head, with its text as the issue.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.plain_folder import reopened
from aci.working_tree import WorkingTree
from agent.drive import shown
from agent.engine import Engine, Happening
from agent.forking import Origin, fork, origin
from agent.github.kept import take
from agent.github.wishes import issue_of, request_of
from agent.settings import Settings, load_settings
from agent.solve import begin, reopen, result
from agent.standing import MAIN
from agent.synced import EFFECT, MOVED, effects, synced
from agent.turns import next_turn
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import begun, read
from trajectories.records import Exit, Note, Turn

if TYPE_CHECKING:
    from aci.repository import Repository
    from agent.console import Console
    from agent.github.errand import Errand
    from agent.solve import Result

BUILD, PROVE = "build", "prove"
PULL = "pull"
OURS = {"update_tests": True}
"""Whoever asks for a change in a pull request may ask for one of its tests; the proof runs with the base's."""


class Head(WorkingTree):
    """The user's files, as a later turn takes them over: those of the pull request's head."""

    def __init__(self, engine: Engine, commit: str) -> None:
        super().__init__(engine.repository, engine.trees)
        self._commit = commit

    def tree(self) -> str:
        return self.repository.base(self.trees, self._commit).tree


def opened(
    errand: Errand,
    name: str,
    source: Repository,
    parent: Path | None,
    flags: Mapping[str, Any],
    notify: Callable[[Happening], object],
) -> Engine:
    """The follow-up's run, its turn begun; or as an earlier process left it. `parent` is what a job kept of the pull
    request's run."""
    given = {**flags, **OURS, "strategy": BUILD}
    known = load_settings(**given)
    directory, copy = known.runs / name, known.state / "parents" / name
    if not begun(directory):
        shutil.rmtree(directory, ignore_errors=True)
        earlier = _earlier(parent, copy, source, known)
        base = earlier.run.base.commit if earlier else errand.base
        settings = load_settings(source.file(".swe-agent.toml", base) or b"", **given)  # none of the earlier record's
        if earlier is not None:
            fork(earlier, settings, name=name)
        else:
            begin(issue_of(errand), source, settings, errand.base, name)
    engine = reopen(directory, known.state, notify)
    try:
        engine.working_tree = Head(engine, errand.base)
        if any(note.kind == "forked" for note in engine.trajectory.notes):
            _go_on(engine, errand, copy)
    except BaseException:
        engine.close()
        raise
    return engine


def worked(engine: Engine, console: Console) -> Result:
    """The turn at hand, and where it changed files the proof of all that the run has changed."""
    ended = shown(engine, console) if engine.trajectory.exit is None else result(engine)
    if engine.trajectory.turns[-1].strategy == PROVE or ended.exit.tree == ended.began:
        return ended
    next_turn(engine, "", PROVE, engine.settings.model_copy(update={"strategy": PROVE}))
    return shown(engine, console)


def _earlier(parent: Path | None, copy: Path, source: Repository, settings: Settings) -> Origin | None:
    """The last step of the pull request's run, as a run of this checkout; None where it cannot be gone on with."""
    if parent is None:
        return None
    shutil.rmtree(copy, ignore_errors=True)
    try:
        take(parent, copy)
        steps = read(copy).steps[MAIN]
        if not steps:
            return None
        found = origin(f"{copy}@{steps[-1].id}", settings, trusted=True)
        reopened(str(source.root), settings.state, found.run.base.commit)
        source.commit(found.run.base.commit)
    except (RunBroken, UsageError):
        return None
    return replace(found, run=replace(found.run, repository=str(source.root)))


def _go_on(engine: Engine, errand: Errand, copy: Path) -> None:
    """What the earlier run came to is what the pull request began with; then its next turn. Each is done once."""
    records = engine.trajectory.records
    forked = max(at for at, record in enumerate(records) if isinstance(record, Note) and record.kind == "forked")
    since = records[forked:]
    if not any(isinstance(record, Exit) for record in since):
        last = engine.trajectory.steps[MAIN][-1]
        ended = read(copy).exit or Exit("interrupted", 130, last.tree)
        both = synced(engine.trees, engine.trajectory, engine.run.base.tree).tree
        number = 1 + sum(1 for _ in effects(engine.trajectory, PULL))
        data = {EFFECT: f"{PULL} {number}", MOVED: [both, ended.tree]}
        engine.journal.append(Note(MAIN, "done", "The patch went into the pull request.", data), ended)
    if not any(isinstance(record, Turn) for record in since):
        next_turn(engine, request_of(errand), BUILD, engine.settings, errand.issue.images)
