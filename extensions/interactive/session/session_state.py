"""The current state of a session, from which its status is computed.

Values that need git are computed in the session's thread after each step (`refresh`). All other values are read from
the records on request, each record once.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeGuard

from aci.repository.patch import count_diff_lines
from agent.conversation.model_roles import context_share
from agent.engine.proof_step import verdict_of
from agent.run_state.merge_base import effects, find_merge_base, present_tree
from extensions.interactive.session.applied_changes import pending_user_changes
from extensions.interactive.session.session_commit import pending_changes
from extensions.interactive.session.session_status import ChangedFile, Status
from trajectories.errors import SweAgentError
from trajectories.records import Exit, Note, Step, Turn
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aci.repository.user_repository import Repository
    from agent.engine.engine import Engine
    from extensions.interactive.session.session_protocols import StatusSession
    from trajectories.git_store.trees import Trees
    from trajectories.records import Base, Record
    from trajectories.trajectory import Trajectory


class SessionSnapshot:
    """Computes the status; `now` is thread-safe."""

    def __init__(self, session: StatusSession, source: Repository) -> None:
        self._session = session
        self._source = source
        self._reading = Lock()
        self._read = 0
        self._trajectory: Trajectory | None = None
        self._phases: tuple[str, ...] = ()
        self._judged: tuple[str, Verdict] = "", Verdict()
        """The last tree that was proven, and its verdict."""
        self._files: tuple[ChangedFile, ...] = ()
        self._edited: tuple[str, ...] = ()
        self._head = ""
        self._committed = ""
        """The last commit that the session made on the user's branch."""
        self._committed_base: Base | None = None
        """The commit that was checked out the last time, with its tree; only in place."""
        self._computed_for: tuple[object, ...] = ()

    @property
    def tree(self) -> str:
        """The tree of the session's files; "" before there is a run."""
        engine = self._session.engine
        return present_tree(engine.trajectory, engine.run.base.tree) if engine else ""

    def refresh(self, head: bool = True) -> None:
        """Compute which changes are not applied, and read HEAD. Call it in the session's thread whenever these may have
        changed."""
        engine = self._session.engine
        if head:
            self._head = self._commit()
        if engine is None:
            self._files, self._computed_for, self._committed = (), (), ""
            return
        trajectory, base = engine.trajectory, engine.run.base.tree
        commit = (self._head if head else self._commit()) if self._session.settings.in_place else ""
        seen = (trajectory.run, self.tree, commit, sum(note.kind == "done" for note in trajectory.notes))
        if seen != self._computed_for:
            self._computed_for = seen
            self._committed = next((str(data["commit"]) for data in reversed([*effects(trajectory, "commit")])), "")
            if commit:
                if self._committed_base is None or self._committed_base.commit != commit:
                    self._committed_base = engine.repository.base(engine.trees, commit)
                old, new = pending_changes(engine, self._committed_base)
            else:
                old, new = find_merge_base(engine.trees, trajectory, base).tree, self.tree
            self._files = _changed_files(engine.trees, old, new)

    def _commit(self) -> str:
        """Return the commit that is checked out; "" if there is none."""
        try:
            return "" if self._source.plain else self._source.commit()
        except SweAgentError:
            return ""

    def check_user_changes(self) -> None:
        """Find the files that the user has changed meanwhile. Call it in the session's thread from time to time."""
        self._edited = pending_user_changes(self._session.engine)

    def now(self) -> Status:
        """Return the current status."""
        session, engine = self._session, self._session.engine
        with self._reading:
            self._read_on(engine)
        settings, (proven, verdict) = session.settings, self._judged
        return Status(
            state=session.state,
            mode=session.mode,
            strategy=session.next_strategy,
            model=settings.model,
            workspace=settings.workspace + (f", {settings.subtree} only" if settings.subtree else ""),
            branch=self._branch(),
            base=self._base(engine),
            spent=engine.ledger.spent if engine else None,
            budget=settings.budget,
            seconds=engine.clock.seconds if engine else 0.0,
            context=context_share(engine.trajectory, engine.models) if engine else None,
            queued=session.queued,
            phases=self._phases,
            files=self._files if engine else (),
            edited=self._edited if engine else (),
            in_place=settings.in_place,
            kept_back=session.kept_back,
            verdict=verdict if engine is not None and proven == self.tree else None,
        )

    def _read_on(self, engine: Engine | None) -> None:
        """Read the records that were added since the last call."""
        trajectory = engine.trajectory if engine else None
        if trajectory is not self._trajectory:
            self._trajectory, self._read, self._phases, self._judged = trajectory, 0, (), ("", Verdict())
        if trajectory is None:
            return
        records = trajectory.records
        while self._read < len(records):
            self._read_record(records[self._read])
            self._read += 1

    def _read_record(self, record: Record) -> None:
        match record:
            case Turn():
                self._phases = ()
            case Note(kind="phase", text=text) if text not in self._phases[-1:]:
                self._phases = (*self._phases, text)
            case _ if is_proof(record):
                self._judged = record.tree, verdict_of(record)
            case Exit() if record.verdict.is_tested:
                self._judged = record.tree, record.verdict
            case _:
                pass

    def _branch(self) -> str:
        """Return the user's branch, read from the HEAD file, or the commit if HEAD is detached; "" without git."""
        if self._source.plain:
            return ""
        try:
            head = (self._source.git_dir / "HEAD").read_text("utf-8", "replace").strip()
        except OSError:
            return ""
        return head.removeprefix("ref: ").removeprefix("refs/heads/") if head.startswith("ref: ") else f"at {head[:7]}"

    def _base(self, engine: Engine | None) -> str:
        if self._source.plain:
            return ""
        if engine is None:
            return "HEAD"
        base = engine.run.base
        if self._committed:
            return "HEAD" if self._committed == self._head else self._committed[:7]
        name = "HEAD" if base.commit == self._head else base.commit[:7]
        return f"{name} + {base.changes} change{'s' * (base.changes != 1)}" if base.changes else name


def is_proof(record: Record) -> TypeGuard[Step]:
    return isinstance(record, Step) and record.author == "proof" and record.branch == "main"


def last_proof(records: Sequence[Record]) -> Step | None:
    return next(filter(is_proof, reversed(records)), None)


def _changed_files(trees: Trees, old: str, new: str) -> tuple[ChangedFile, ...]:
    if old == new:
        return ()
    counts = _count_lines(trees.diff(old, new))
    return tuple(
        ChangedFile(each.status, each.path, *counts.get(each.path, (None, None))) for each in trees.changed(old, new)
    )


def _count_lines(diff: str) -> dict[str, tuple[int, int]]:
    """Return the numbers of added and removed lines of each file whose name is not quoted in the diff."""
    counts: dict[str, tuple[int, int]] = {}
    for header, added, removed in count_diff_lines(diff):
        names = [line[6:] for line in header.split("\n") if line.startswith(("--- a/", "+++ b/"))]
        if names:
            counts[names[-1]] = added, removed
    return counts
