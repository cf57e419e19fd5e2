"""How a run is built: its branches, where each begins, its phases, and what was said of its candidates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trajectories.records import Note, Record, Step, Turn
from trajectories.report.costs import Costs
from trajectories.report.words import fits
from trajectories.trajectory import Trajectory

SCORES = frozenset({"score", "vote", "candidate", "prune"})
"""Notes in which a strategy says what it thinks of an attempt."""


@dataclass(slots=True)
class Phase:
    """A named part of a branch, within a turn; `first` and `last` are ids of steps, empty while it has none."""

    branch: str
    name: str
    first: str = ""
    last: str = ""

    def told(self) -> dict[str, Any]:
        return {"branch": self.branch, "phase": self.name, "from": self.first, "to": self.last}


@dataclass(slots=True)
class Branch:
    """`begin` is the step of its parent after which it begins, None at the base."""

    name: str
    parent: str
    begin: Step | None
    steps: list[Step] = field(default_factory=list)
    scores: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Structure:
    """`before` is the tree that each step (by its number among all) began with; `phase_of` its phase's name."""

    branches: dict[str, Branch] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    phase_of: list[str] = field(default_factory=list)


def structure(trajectory: Trajectory) -> Structure:
    """Read off the records in one go: a branch begins where its parent stands when it is first heard of."""
    base = trajectory.run.base.tree if trajectory.run else ""
    found = Structure()
    present: dict[str, Phase] = {}
    for record in trajectory.records:
        if isinstance(record, Turn):
            present.clear()
        name = _branch_of(record)
        if name is None:
            continue
        branch = found.branches.get(name) or _begun(found, name)
        if isinstance(record, Note):
            if record.kind == "phase":
                present[name] = Phase(name, record.text)
                found.phases.append(present[name])
            elif record.kind in SCORES:
                branch.scores.append(record)
        elif isinstance(record, Step):
            last = branch.steps[-1] if branch.steps else branch.begin
            found.before.append(last.tree if last else base)
            branch.steps.append(record)
            if phase := present.get(name):
                phase.first, phase.last = phase.first or record.id, record.id
            found.phase_of.append(phase.name if phase else "")
    return found


def _branch_of(record: Record) -> str | None:
    name: str | None = getattr(record, "branch", None)
    return name


def _begun(found: Structure, name: str) -> Branch:
    parent = name.rpartition("/")[0]
    while parent and parent not in found.branches:
        parent = parent.rpartition("/")[0]
    above = found.branches.get(parent) if parent else None
    begin = (above.steps[-1] if above.steps else above.begin) if above else None
    found.branches[name] = Branch(name, parent, begin)
    return found.branches[name]


def told(found: Structure, trajectory: Trajectory, spent: Costs) -> list[dict[str, Any]]:
    """The branches as a report has them."""
    nothing = 0.0 if spent.steps else None
    return [
        {
            "name": branch.name,
            "parent": branch.parent,
            "from": branch.begin.id if branch.begin else "",
            "steps": len(branch.steps),
            "dollars": spent.branches[branch.name].told()["dollars"] if branch.name in spent.branches else nothing,
            "ended": _ended(trajectory, branch.name),
            "scores": [
                {"kind": note.kind, "text": note.text, "data": note.data if fits(note.data) else {}}
                for note in branch.scores
            ],
        }
        for branch in found.branches.values()
    ]


def _ended(trajectory: Trajectory, branch: str) -> str:
    """How an attempt came out; empty for a branch that is none, or has not ended."""
    once = trajectory.results.get((branch, "outcome"))
    outcome = once.value if once and isinstance(once.value, dict) else {}
    verdict = outcome.get("verdict")
    kind = str(verdict.get("kind", "")) if isinstance(verdict, dict) else ""
    return kind if kind in ("verified", "faster") else str(outcome.get("exit") or kind)
