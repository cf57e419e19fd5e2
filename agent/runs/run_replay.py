"""A run acted again without its model: the record alone says what is done, in which branch, from which tree.

Each step begins at the tree at which the recorded one began, so one difference does not drown the rest. What a model or
a user said, and what only moved files (undo, a merge with the user's files, a candidate taken), is taken over; actions
run again and proofs are made again. What a user refused, or a limit stopped, stays undone.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from aci.plain_folder import of_tree
from aci.trial import some
from agent.again import Again, is_proof
from agent.best import verdict_of
from agent.engine import Engine
from agent.forking import copied
from agent.ownership import UNTRUSTED, is_own, register
from agent.root import Place
from agent.run_origin import has_untrusted_origin
from agent.run_settings import of_untrusted_run, recorded_in
from agent.settings import NOWHERE, Settings, load_settings
from agent.solve import VERSION
from agent.standing import FIRST, MAIN, tree_at
from agent.task import EFFECTS
from agent.traits import is_by_hand
from agent.untrusted_run import repository_at
from trajectories.errors import Cancelled, RunBroken, SweAgentError, UsageError, WorkspaceError
from trajectories.journal import encode, write_durably
from trajectories.material import Material
from trajectories.parting import PARTED, REPLAY, compared
from trajectories.records import Base, Exit, Note, Once, Record, Reply, Step, Turn, Usage, Verdict

SAME = "replayed"
"""How a replay ends in which no step differs; `PARTED` is the other."""
AGAIN = "Replay the run again."
MOST_FILES = 200
"""That a note names."""
ASKED_ABOUT = frozenset({"message", "approval", "overflow", "fallback"})
"""Notes that say how the conversation went; others of those that no strategy writes are of the process, or of what was
done to the user's files, which a replay leaves alone."""
OF_NOBODY = frozenset(
    {"model", "models", "roles", "effort", "budget", "max_steps", "max_tokens", "max_time", *NOWHERE, "prompts"}
)
"""Settings without a meaning where no model is asked and nothing delivered."""
REPLAYED = frozenset(Settings.model_fields) - OF_NOBODY


def begin(material: Material, settings: Settings) -> Path:
    """Write the first records of a replay and return its directory. Raises RunBroken and WorkspaceError."""
    run, trajectory = material.trajectory.run, material.trajectory
    assert run is not None
    assert material.directory is not None
    _check_files(material, run.base.tree)
    own = _is_own(material, settings)
    with copied(material.directory, settings, trusted=own) as directory:
        versions = run.versions | {"swe-agent": VERSION, "replayed": run.versions.get("swe-agent", "")}
        first = replace(run, id=directory.name, settings=settings.recorded(), versions=versions, at=time.time())
        first = first if own else replace(first, repository=repository_at(Path.cwd()))
        data = {"run": material.name} | ({UNTRUSTED: True} if not own or has_untrusted_origin(trajectory) else {})
        of = Note(MAIN, REPLAY, f"Replay of {material.name}.", data)
        records: list[Record] = [first, _turn(trajectory.turns[0], settings, frozenset()), of]
        lines = b"".join(map(encode, records))
        register(directory, settings.state, lines)
        write_durably(directory / "journal.jsonl", lines)
    return directory


def _check_files(material: Material, base: str) -> None:
    """Raises RunBroken where files that a step begins at or left are not there."""
    steps = {step.tree: step.id for step in material.trajectory.all_steps() if step.tree != base}
    for tree, step in ({base: f"{MAIN}#0"} | steps).items():
        if material.trees is None or not material.trees.has(tree):
            what = f"The files of {material.name}@{step} are not there."
            raise RunBroken(what, "Copy the whole folder of the run, trees.git too.")


def settings_of(material: Material, today: Settings, workspace: str | None, image: str | None = None) -> Settings:
    """The run's settings, for a replay: no model, no limit of time, nothing delivered.

    Raises UsageError where commands that somebody else recorded would be run without a boundary, whatever says so, or
    in an image that a repository's own file may not name.
    """
    run = material.trajectory.run
    assert run is not None
    flags: dict[str, Any] = {"workspace": workspace, "image": image}
    if _is_own(material, today):
        said = run.settings | material.trajectory.turns[0].settings
        recorded = {name: value for name, value in said.items() if name in REPLAYED}
        given = {name: value for name, value in flags.items() if value is not None}
        settings = load_settings(**(recorded | NOWHERE | given))
    else:
        assert material.directory is not None
        said = recorded_in(material.trajectory)
        settings = of_untrusted_run(said, material.directory, load_settings(**flags), flags)
    nobody: dict[str, Any] = {"model": f"replay:{material.name}", "models": {}, "roles": {}}
    nobody |= {"max_time": None, "max_tokens": None}
    return settings.model_copy(update=nobody | {"state": today.state})


def _is_own(material: Material, settings: Settings) -> bool:
    assert material.directory is not None
    return is_own(material.directory, material.trajectory, settings.state)


def _turn(turn: Turn, settings: Settings, names: frozenset[str]) -> Turn:
    """The recorded turn, by nobody's model."""
    changed = {name: value for name, value in turn.settings.items() if name in names - {"workspace", "state"}}
    return replace(turn, models={"coder": settings.model}, settings=changed, at=time.time())


class Replaying:
    """One replay under way, in the new run that `begin` wrote. Close it in the end. Its `notes` are for the user."""

    def __init__(self, engine: Engine, material: Material, stop_at_first: bool = False) -> None:
        self.engine, self.recorded, self._stops = engine, material.trajectory, stop_at_first
        self._heeded = REPLAYED if _is_own(material, engine.settings) else frozenset()
        if material.trajectory.run and engine.settings.image != material.trajectory.run.settings.get("image"):
            self._heeded -= {"image"}  # the user named another
        self.parted = False
        self.notes: list[str] = []
        self._tasks: dict[str, Again] = {}
        self._places: dict[str, Place] = {}
        """By the branch whose workspace it is."""
        self._trees: dict[str, str] = {MAIN: engine.run.base.tree}
        """What the record says of each place."""
        self._stands: dict[str, str] = {}
        """What lies there."""
        self._begun = True
        self._last = next((r for r in reversed(self.recorded.records) if isinstance(r, Exit)), None)
        self._phases: dict[str, set[str]] = defaultdict(set)
        for note in self.recorded.notes:
            if note.kind == "phase":
                self._phases[note.branch].add(note.text)

    def run(self) -> Iterator[Step]:
        """The steps as they are taken again. The run has its exit in the end, also where it is interrupted."""
        self.engine.journal.append(Note(MAIN, "life", "begun"))
        try:
            self._find_repository()
            for number, record in enumerate(self.recorded.records):
                yield from self._take(number, record)
                if self.parted and self._stops:
                    break
        except SweAgentError as error:
            if "resume" in error.fix.casefold():
                error.fix = AGAIN
            self._stopped(error)
            raise
        except OSError as error:
            of = f" ({error.filename})" if error.filename else ""
            failed = WorkspaceError(f"This machine failed: {error.strerror or error}{of}.", AGAIN)
            self._stopped(failed)
            raise failed from error
        kind = PARTED if self.parted else SAME
        self._end(Exit(kind, int(self.parted)), whole=not (self.parted and self._stops))

    def close(self) -> None:
        try:
            self._leave_places()
        finally:
            self.engine.close()
            shutil.rmtree(self.engine.journal.directory / "base", ignore_errors=True)

    # One record after the other

    def _take(self, number: int, record: object) -> Iterator[Step]:
        journal = self.engine.journal
        match record:
            case Turn() if record is not self.recorded.turns[0]:
                self._next_turn(number, record)
            case Reply():
                journal.append(replace(record, usage=Usage(), at=time.time()))
            case Step():
                yield from self._step(record)
            case Once():
                journal.append(replace(record, at=time.time()))
                if record.name == "outcome" and record.branch != MAIN and record.branch in self._places:
                    self._places.pop(record.branch).close()
            case Note() if record.kind not in EFFECTS:
                self._task(record.branch).note(record.kind, record.text, **record.data)
            case Note() if record.kind in ASKED_ABOUT:
                journal.append(replace(record, at=time.time()))
            case Note() if record.kind == "life" and record.text == "resumed":
                self._leave_places()
                self.engine.leave_workspace()
                self.engine.resumed = False
            case Exit() if record is not self._last:
                journal.append(replace(record, verdict=self._verdict(), at=time.time(), seconds=self.engine.seconds))

    def _step(self, step: Step) -> Iterator[Step]:
        task, owner = self._task(step.branch), self._owner(step.branch)
        self._go_to(task, owner, self._trees[owner])
        if is_proof(step):
            yield from task.prove_again(step)
        elif any(map(task.is_run, step.observations[: len(step.actions)])):
            yield task.act_step(step)
        else:
            self._go_to(task, owner, step.tree)
            yield task.take_over(step)
        made = self.engine.trajectory.steps[step.branch][-1]
        self._trees[owner], self._stands[owner] = step.tree, made.tree
        if step.branch == MAIN and not self._begun:
            self._begun = step.author not in FIRST
            if not self._begun:
                task.begin_here()
        exact, _ = compared(step, made)
        if exact:
            self.parted = True
            files = [f"{change.status} {change.path}" for change in self.engine.trees.changed(step.tree, made.tree)]
            what = " and ".join(dict.fromkeys(each.what for each in exact))
            named = f" ({some(files)})" if files else ""
            words = f"{step.id} differs in {what}{named}; what follows goes on from the recorded tree."
            data = {"step": step.id, "tree": step.tree, "files": files[:MOST_FILES]}
            self.engine.journal.append(Note(step.branch, PARTED, words, data))
            self.engine.tell("say", step.branch, words)

    def _next_turn(self, number: int, turn: Turn) -> None:
        """Its files are those the record has, where the turn before ended with others, too."""
        self._leave_places()
        self._tasks.clear()
        before = self.engine.settings
        again = _turn(turn, before, self._heeded)
        settings = load_settings(**(before.recorded() | again.settings))
        self.engine.next_turn(again, settings.model_copy(update={"state": before.state}))
        self._trees = {MAIN: tree_at(self.recorded, number, self.engine.run.base.tree)}
        self._begun = False
        self._task(MAIN).begin_here()

    # Branches and where they work

    def _task(self, branch: str) -> Again:
        owner = self._owner(branch)
        if owner not in self._places:
            self._places[owner] = Place(self.engine, self.engine.cancel, apart=owner != MAIN)
        if owner not in self._trees:
            self._trees[owner] = self._trees[self._owner(self._parent(owner))]
        if branch not in self._tasks:
            task = Again(self.engine, branch, self._trees[owner])
            task.past = self.recorded.steps[branch]
            task.by_hand = is_by_hand(self.engine.trajectory.turns[-1].strategy)
            self._tasks[branch] = task
        self._tasks[branch].place = self._places[owner]
        return self._tasks[branch]

    def _owner(self, branch: str) -> str:
        """The branch whose workspace it works in: a fresh conversation of a phase shares, an attempt has a fork."""
        while branch != MAIN:
            parent = self._parent(branch)
            name = branch.removeprefix(f"{parent}/")
            if not {name, re.sub(r"^\d+\.", "", name)} & self._phases[parent]:
                break
            branch = parent
        return branch

    def _parent(self, branch: str) -> str:
        above = [name for name, steps in self.recorded.steps.items() if steps and branch.startswith(f"{name}/")]
        return max(above, key=len, default=MAIN)

    def _go_to(self, task: Again, owner: str, tree: str) -> None:
        """Let what comes next begin with these files."""
        if task.place.opened and self._stands.get(owner, task.tree) != tree:
            task.workspace.restore(tree)
        task.tree = self._stands[owner] = tree

    def _leave_places(self) -> None:
        for place in self._places.values():
            place.close()
        self._places.clear()
        self._stands.clear()

    def _find_repository(self) -> None:
        """The user's, where it has the commit that the run began at; else the files of the base alone."""
        run = self.engine.run
        try:
            self.engine.repository.commit(run.base.commit)
        except UsageError:
            name = re.sub(r"[^\w.-]+", "-", Path(run.repository).name) or "repository"
            folder = self.engine.journal.directory / "base" / name
            self.engine.repository, commit = of_tree(self.engine.trees, run.base.tree, folder)
            self.engine.run = replace(run, base=Base(commit, run.base.tree))
            self.notes.append(
                f"{run.repository} is gone, or its commit {run.base.commit[:10]} is: there is no history."
            )

    # What it came to

    def _verdict(self) -> Verdict:
        """Of the turn's last proof."""
        steps = [record for record in self.engine.trajectory.of_turn if isinstance(record, Step) and is_proof(record)]
        return verdict_of(steps[-1]) if steps else Verdict()

    def _stopped(self, error: SweAgentError) -> None:
        kind = "interrupted" if isinstance(error, Cancelled) else "error"
        self._end(Exit(kind, error.code, message=error.message, fix=error.fix), whole=False)

    def _end(self, exit: Exit, whole: bool) -> None:
        tree = self._last.tree if self._last and whole else self._trees[MAIN]
        seconds = self.engine.seconds
        self.engine.journal.append(replace(exit, tree=tree, verdict=self._verdict(), seconds=seconds, at=time.time()))
