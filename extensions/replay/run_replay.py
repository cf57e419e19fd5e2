"""Replays of runs without a model: actions, branches and trees are taken from the record.

Each step starts from its recorded tree, so a difference in one step does not affect later steps. Replies, user messages
and steps that only changed the files (undo, a merge with the user's files, choosing a candidate) are copied. Actions
and proofs are run again. Actions that the user refused or that a limit stopped are not run. An action that the user cut
off is not run either, so the files of its step are copied.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from aci.proof.proof_run import format_names
from aci.repository.plain_folder import repository_of_tree
from agent.config.hook_table import HookTable
from agent.config.settings import NOWHERE, Settings, load_settings
from agent.engine.branch import EFFECTS
from agent.engine.branch_workspace import BranchWorkspace
from agent.engine.engine import Engine
from agent.engine.proof_step import verdict_of
from agent.run_state.run_ownership import UNTRUSTED, is_own, register
from agent.run_state.run_settings import UNRECORDED, has_untrusted_origin, recorded_settings
from agent.run_state.strategy_traits import is_by_hand
from agent.run_state.turn_state import FIRST, MAIN, tree_at
from agent.version import __version__
from extensions.replay.replay_branch import ReplayBranch, is_proof
from extensions.replay.run_comparison import PARTED, compare_steps
from extensions.replay.run_fork import copy_run
from extensions.replay.untrusted_run import repository_path, settings_of_untrusted_run
from trajectories.errors import Cancelled, RunBroken, SweAgentError, UsageError, WorkspaceError
from trajectories.journal import encode, write_durably
from trajectories.records import Base, Exit, Note, Once, Record, Reply, Step, Turn, Usage, record_time
from trajectories.trajectory import REPLAY, RunView
from trajectories.verdict import Verdict

SAME = "replayed"
"""The exit kind of a replay without differences; with differences it is `PARTED`."""
AGAIN = "Replay the run again."
MOST_FILES = 200
"""Maximum number of files that a note names."""
CONVERSATION_NOTES = frozenset({"message", "approval", "overflow", "fallback", "model"})
"""Kinds of notes about the conversation, which a replay copies.

All other notes that are not written by strategies concern the process or the user's files and are not copied.
"""
UNUSED_SETTINGS = frozenset(
    {"model", "models", "roles", "effort", "budget", "max_steps", "max_tokens", "max_time", *NOWHERE, "prompts"}
)
"""Settings that have no effect without a model and without delivery."""
REPLAYED_SETTINGS = frozenset(Settings.model_fields) - UNUSED_SETTINGS - {"hooks", "mcp"}


def begin_replay(material: RunView, settings: Settings) -> Path:
    """Write the first records of a replay and return its folder. Raises RunBroken and WorkspaceError."""
    run, trajectory = material.trajectory.run, material.trajectory
    assert run is not None
    assert material.directory is not None
    _check_files(material, run.base.tree)
    own = _is_own(material, settings)
    with copy_run(material.directory, settings, trusted=own) as directory:
        versions = run.versions | {"swe-agent": __version__, "replayed": run.versions.get("swe-agent", "")}
        first = replace(run, id=directory.name, settings=settings.recorded(), versions=versions, at=record_time())
        first = first if own else replace(first, repository=repository_path(Path.cwd()))
        data = {"run": material.name} | ({UNTRUSTED: True} if not own or has_untrusted_origin(trajectory) else {})
        note = Note(MAIN, REPLAY, f"Replay of {material.name}.", data)
        records: list[Record] = [first, _turn(trajectory.turns[0], settings, frozenset()), note]
        lines = b"".join(map(encode, records))
        register(directory, settings.state, lines)
        write_durably(directory / "journal.jsonl", lines)
    return directory


def _check_files(material: RunView, base: str) -> None:
    """Raise RunBroken if the tree of the base or of any step is missing."""
    steps = {step.tree: step.id for step in material.trajectory.all_steps() if step.tree != base}
    for tree, step in ({base: f"{MAIN}#0"} | steps).items():
        if material.trees is None or not material.trees.has(tree):
            what = f"The files of {material.name}@{step} are missing."
            raise RunBroken(what, "Copy the run's whole folder, including trees.git.")


def replay_settings(material: RunView, today: Settings, workspace: str | None, image: str | None = None) -> Settings:
    """Return the run's settings for a replay: no model, no time limit, no delivery, no hooks, no MCP servers.

    Raises UsageError if commands of an untrusted run would run without isolation, or in an image that a repository's
    own config may not name.
    """
    run = material.trajectory.run
    assert run is not None
    flags: dict[str, Any] = {"workspace": workspace, "image": image}
    if _is_own(material, today):
        source_settings = UNRECORDED | run.settings | material.trajectory.turns[0].settings
        recorded = {name: value for name, value in source_settings.items() if name in REPLAYED_SETTINGS}
        given = {name: value for name, value in flags.items() if value is not None}
        settings = load_settings(**(recorded | NOWHERE | given))
        unused = {name: False for name in UNRECORDED if not source_settings[name]}  # whatever the policy says
        settings = settings.model_copy(update=unused)
    else:
        assert material.directory is not None
        source_settings = recorded_settings(material.trajectory)
        settings = settings_of_untrusted_run(source_settings, material.directory, load_settings(**flags), flags)
    disabled: dict[str, Any] = {"model": f"replay:{material.name}", "models": {}, "roles": {}}
    disabled |= {"max_time": None, "max_tokens": None, "hooks": HookTable(), "mcp": {}}
    return settings.model_copy(update=disabled | {"state": today.state})


def _is_own(material: RunView, settings: Settings) -> bool:
    assert material.directory is not None
    return is_own(material.directory, material.trajectory, settings.state)


def _turn(turn: Turn, settings: Settings, names: frozenset[str]) -> Turn:
    """Return the recorded turn for a replay, with only the settings in `names` and with the replay's model."""
    changed = {name: value for name, value in turn.settings.items() if name in names - {"workspace", "state"}}
    return replace(turn, models={"coder": settings.model}, settings=changed, at=record_time())


class RunReplay:
    """A replay in progress, in the new run that `begin_replay` wrote. Call `close` at the end. `notes` are messages for
    the user."""

    def __init__(self, engine: Engine, material: RunView, stop_at_first: bool = False) -> None:
        self.engine, self.recorded, self._stop_at_first = engine, material.trajectory, stop_at_first
        self._used_settings = REPLAYED_SETTINGS if _is_own(material, engine.settings) else frozenset()
        if material.trajectory.run and engine.settings.image != material.trajectory.run.settings.get("image"):
            self._used_settings -= {"image"}  # the user chose another image
        self.parted = False
        self.notes: list[str] = []
        self._branches: dict[str, ReplayBranch] = {}
        self._places: dict[str, BranchWorkspace] = {}
        """Workspaces by the branch that owns them."""
        self._trees: dict[str, str] = {MAIN: engine.run.base.tree}
        """The recorded tree of each workspace."""
        self._actual_trees: dict[str, str] = {}
        """The actual tree of each workspace."""
        self._begun = True
        self._last = next((r for r in reversed(self.recorded.records) if isinstance(r, Exit)), None)
        self._phases: dict[str, set[str]] = defaultdict(set)
        for note in self.recorded.notes:
            if note.kind == "phase":
                self._phases[note.branch].add(note.text)

    def run(self) -> Iterator[Step]:
        """Run the replay and yield its steps. An exit is recorded at the end, even if the replay is interrupted."""
        self.engine.journal.append(Note(MAIN, "life", "begun"))
        try:
            self._find_repository()
            for number, record in enumerate(self.recorded.records):
                yield from self._take(number, record)
                if self.parted and self._stop_at_first:
                    break
        except SweAgentError as error:
            if "resume" in error.fix.casefold():
                error.fix = AGAIN
            self._record_stop(error)
            raise
        except OSError as error:
            file = f" ({error.filename})" if error.filename else ""
            failed = WorkspaceError(f"This machine failed: {error.strerror or error}{file}.", AGAIN)
            self._record_stop(failed)
            raise failed from error
        kind = PARTED if self.parted else SAME
        self._end(Exit(kind, int(self.parted)), whole=not (self.parted and self._stop_at_first))

    def close(self) -> None:
        """Close the workspaces and the engine, and remove temporary files."""
        try:
            self._leave_places()
        finally:
            self.engine.close()
            shutil.rmtree(self.engine.journal.directory / "base", ignore_errors=True)

    # Records

    def _take(self, number: int, record: object) -> Iterator[Step]:
        journal = self.engine.journal
        match record:
            case Turn() if record is not self.recorded.turns[0]:
                self._next_turn(number, record)
            case Reply():
                journal.append(replace(record, usage=Usage(), at=record_time()))
            case Step():
                yield from self._step(record)
            case Once():
                journal.append(replace(record, at=record_time()))
                if record.name == "outcome" and record.branch != MAIN and record.branch in self._places:
                    self._places.pop(record.branch).close()
            case Note() if record.kind not in EFFECTS:
                self._branch(record.branch).note(record.kind, record.text, **record.data)
            case Note() if record.kind in CONVERSATION_NOTES:
                journal.append(replace(record, at=record_time()))
            case Note() if record.kind == "life" and record.text == "resumed":
                self._leave_places()
                self.engine.leave_workspace()
                self.engine.resumed = False
            case Exit() if record is not self._last:
                seconds = self.engine.clock.seconds
                journal.append(replace(record, verdict=self._verdict(), at=record_time(), seconds=seconds))

    def _step(self, step: Step) -> Iterator[Step]:
        branch, owner = self._branch(step.branch), self._owner(step.branch)
        self._go_to(branch, owner, self._trees[owner])
        if is_proof(step):
            yield branch.prove_again(step)
        elif any(map(branch.is_run, step.observations[: len(step.actions)])):
            yield branch.act_step(step)
        else:
            self._go_to(branch, owner, step.tree)
            yield branch.take_over(step)
        made = self.engine.trajectory.steps[step.branch][-1]
        self._trees[owner], self._actual_trees[owner] = step.tree, made.tree
        if step.branch == MAIN and not self._begun:
            self._begun = step.author not in FIRST
            if not self._begun:
                branch.mark_start()
        exact, _ = compare_steps(step, made)
        if exact:
            self.parted = True
            files = [f"{change.status} {change.path}" for change in self.engine.trees.changed(step.tree, made.tree)]
            what = " and ".join(dict.fromkeys(each.what for each in exact))
            named = f" ({format_names(files)})" if files else ""
            words = f"{step.id} differs in {what}{named}; the next steps start from the recorded tree."
            data = {"step": step.id, "tree": step.tree, "files": files[:MOST_FILES]}
            self.engine.journal.append(Note(step.branch, PARTED, words, data))
            self.engine.report("say", step.branch, words)

    def _next_turn(self, number: int, turn: Turn) -> None:
        """Start a turn with the recorded files, even if the previous turn ended with other files."""
        self._leave_places()
        self._branches.clear()
        before = self.engine.settings
        again = _turn(turn, before, self._used_settings)
        settings = load_settings(**(before.recorded() | again.settings))
        self.engine.next_turn(again, settings.model_copy(update={"state": before.state}))
        self._trees = {MAIN: tree_at(self.recorded, number, self.engine.run.base.tree)}
        self._begun = False
        self._branch(MAIN).mark_start()

    # Branches and workspaces

    def _branch(self, branch: str) -> ReplayBranch:
        owner = self._owner(branch)
        if owner not in self._places:
            self._places[owner] = BranchWorkspace(
                self.engine.workspaces, self.engine.run.base.tree, self.engine.cancel, apart=owner != MAIN
            )
        if owner not in self._trees:
            self._trees[owner] = self._trees[self._owner(self._parent(owner))]
        if branch not in self._branches:
            made = ReplayBranch(self.engine, branch, self._trees[owner])
            made.past = self.recorded.steps[branch]
            made.by_hand = is_by_hand(self.engine.trajectory.turns[-1].strategy)
            self._branches[branch] = made
        self._branches[branch].place = self._places[owner]
        return self._branches[branch]

    def _owner(self, branch: str) -> str:
        """Return the branch whose workspace a branch uses: an attempt has its own, a phase shares its parent's."""
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

    def _go_to(self, branch: ReplayBranch, owner: str, tree: str) -> None:
        """Restore the files of `tree` in the workspace for the next step."""
        if branch.place.opened and self._actual_trees.get(owner, branch.tree) != tree:
            branch.workspace.restore(tree)
        branch.tree = self._actual_trees[owner] = tree

    def _leave_places(self) -> None:
        for place in self._places.values():
            place.close()
        self._places.clear()
        self._actual_trees.clear()

    def _find_repository(self) -> None:
        """Use the user's repository if it has the run's base commit; otherwise create one that contains only the base's
        files."""
        run = self.engine.run
        try:
            self.engine.repository.commit(run.base.commit)
        except UsageError:
            name = re.sub(r"[^\w.-]+", "-", Path(run.repository).name) or "repository"
            folder = self.engine.journal.directory / "base" / name
            self.engine.repository, commit = repository_of_tree(self.engine.trees, run.base.tree, folder)
            self.engine.run = replace(run, base=Base(commit, run.base.tree))
            self.notes.append(
                f"{run.repository} or its commit {run.base.commit[:10]} is missing, so there is no history."
            )

    # Result

    def _verdict(self) -> Verdict:
        """Return the verdict of the turn's last proof."""
        steps = [record for record in self.engine.trajectory.of_turn if isinstance(record, Step) and is_proof(record)]
        return verdict_of(steps[-1]) if steps else Verdict()

    def _record_stop(self, error: SweAgentError) -> None:
        kind = "interrupted" if isinstance(error, Cancelled) else "error"
        self._end(Exit(kind, error.code, message=error.message, fix=error.fix), whole=False)

    def _end(self, exit: Exit, whole: bool) -> None:
        tree = self._last.tree if self._last and whole else self._trees[MAIN]
        seconds = self.engine.clock.seconds
        self.engine.journal.append(replace(exit, tree=tree, verdict=self._verdict(), seconds=seconds, at=record_time()))
