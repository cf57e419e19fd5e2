"""Reads off how a session stands. What takes a process of git is found in the session's own thread (`look`), at each
step; the rest is read where it is asked for, record after record and none twice."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeGuard

from aci.patch import lines_of
from agent.best import verdict_of
from agent.session.applying import noticed
from agent.session.status import ChangedFile, Status
from agent.synced import present, synced
from trajectories.errors import SweAgentError
from trajectories.records import Note, Step, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine import Engine
    from agent.session.session import Session
    from trajectories.records import Record
    from trajectories.trajectory import Trajectory
    from trajectories.trees import Trees


class Standing:
    """`now` from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reading = Lock()
        self._read = 0
        self._of: Trajectory | None = None
        self._phases: tuple[str, ...] = ()
        self._proof: Step | None = None
        self._files: tuple[ChangedFile, ...] = ()
        self._edited: tuple[str, ...] = ()
        self._head = ""
        self._seen: tuple[object, ...] = ()

    @property
    def tree(self) -> str:
        """The repository's as the session left it; "" before there is one."""
        engine = self._session.engine
        return present(engine.trajectory, engine.run.base.tree) if engine else ""

    def look(self, head: bool = True) -> None:
        """Find what the session changed and its user does not have, and where HEAD is. In the session's thread, after
        what may change either."""
        session, engine = self._session, self._session.engine
        if head:
            try:
                self._head = session.start.source.commit()
            except SweAgentError:
                self._head = ""
        if engine is None:
            self._files, self._seen = (), ()
            return
        trajectory, base = engine.trajectory, engine.run.base.tree
        seen = (trajectory.run, self.tree, sum(note.kind == "done" for note in trajectory.notes))
        if seen != self._seen:
            self._seen = seen
            self._files = _changed(engine.trees, synced(engine.trees, trajectory, base).tree, self.tree)

    def look_out(self) -> None:
        """Find what the user changed meanwhile. In the session's thread, now and then."""
        self._edited = noticed(self._session)

    def now(self) -> Status:
        session, engine = self._session, self._session.engine
        with self._reading:
            self._read_on(engine)
        proof, settings = self._proof, session.settings
        holds = engine is not None and proof is not None and proof.tree == self.tree
        return Status(
            state=session.state,
            mode=session.mode,
            strategy=session.turning.strategy(),
            model=settings.model,
            workspace=settings.workspace + (f", {settings.subtree} only" if settings.subtree else ""),
            branch=self._branch(),
            base=self._base(engine),
            spent=engine.ledger.spent if engine else None,
            budget=settings.budget,
            seconds=engine.seconds if engine else 0.0,
            context=engine.context_share() if engine else None,
            queued=session.queued,
            phases=self._phases,
            files=self._files if engine else (),
            edited=self._edited if engine else (),
            verdict=verdict_of(proof) if holds and proof is not None else None,
        )

    def _read_on(self, engine: Engine | None) -> None:
        """Take in the records since the last time."""
        trajectory = engine.trajectory if engine else None
        if trajectory is not self._of:
            self._of, self._read, self._phases, self._proof = trajectory, 0, (), None
        if trajectory is None:
            return
        records = trajectory.records
        while self._read < len(records):
            self._take(records[self._read])
            self._read += 1

    def _take(self, record: Record) -> None:
        match record:
            case Turn():
                self._phases = ()
            case Note(kind="phase", text=text) if text not in self._phases[-1:]:
                self._phases = (*self._phases, text)
            case _ if is_proof(record):
                self._proof = record
            case _:
                pass

    def _branch(self) -> str:
        """The user's, read from HEAD's own file; the commit's name where it is on none. Nothing without git."""
        if self._session.start.source.plain:
            return ""
        try:
            head = (self._session.start.source.git_dir / "HEAD").read_text("utf-8", "replace").strip()
        except OSError:
            return ""
        return head.removeprefix("ref: ").removeprefix("refs/heads/") if head.startswith("ref: ") else f"at {head[:7]}"

    def _base(self, engine: Engine | None) -> str:
        if self._session.start.source.plain:
            return ""
        if engine is None:
            return "HEAD"
        base = engine.run.base
        name = "HEAD" if base.commit == self._head else base.commit[:7]
        return f"{name} + {base.changes} change{'s' * (base.changes != 1)}" if base.changes else name


def is_proof(record: Record) -> TypeGuard[Step]:
    return isinstance(record, Step) and record.author == "proof" and record.branch == "main"


def last_proof(records: Sequence[Record]) -> Step | None:
    return next(filter(is_proof, reversed(records)), None)


def _changed(trees: Trees, old: str, new: str) -> tuple[ChangedFile, ...]:
    if old == new:
        return ()
    counts = _counted(trees.diff(old, new))
    return tuple(
        ChangedFile(each.status, each.path, *counts.get(each.path, (None, None))) for each in trees.changed(old, new)
    )


def _counted(diff: str) -> dict[str, tuple[int, int]]:
    """Lines added and removed by file, of those whose name is told in the diff as it is."""
    counts: dict[str, tuple[int, int]] = {}
    for header, added, removed in lines_of(diff):
        names = [line[6:] for line in header.split("\n") if line.startswith(("--- a/", "+++ b/"))]
        if names:
            counts[names[-1]] = added, removed
    return counts
