"""The structure of a run: its branches, where each starts, its phases, and the scores of its candidates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trajectories.record_text import is_short_data
from trajectories.records import Note, Record, Step, Turn
from trajectories.reply_costs import Costs
from trajectories.trajectory import Trajectory
from trajectories.verdict import COMPLETE

SCORES = frozenset({"score", "vote", "candidate", "prune"})
"""Kinds of notes in which a strategy rates an attempt."""


@dataclass(slots=True)
class Phase:
    """A named part of a branch, within a turn; `first` and `last` are the ids of its first and last step, empty if it
    has no steps."""

    branch: str
    name: str
    first: str = ""
    last: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"branch": self.branch, "phase": self.name, "from": self.first, "to": self.last}


@dataclass(slots=True)
class Branch:
    """A branch. `begin` is the parent's step after which the branch starts, or None if it starts at the base."""

    name: str
    parent: str
    begin: Step | None
    steps: list[Step] = field(default_factory=list)
    scores: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Structure:
    """Branches and phases of a run. For each step, in order, `before` contains the tree that the step started from, and
    `phase_of` the name of its phase."""

    branches: dict[str, Branch] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    phase_of: list[str] = field(default_factory=list)


def structure(trajectory: Trajectory) -> Structure:
    """Build the structure in one pass over the records. A branch starts after the last step of its parent that precedes
    the first record of the branch."""
    base = trajectory.run.base.tree if trajectory.run else ""
    found = Structure()
    present: dict[str, Phase] = {}
    for record in trajectory.records:
        if isinstance(record, Turn):
            present.clear()
        name = _branch_of(record)
        if name is None:
            continue
        branch = found.branches.get(name) or _add_branch(found, name)
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


def _add_branch(found: Structure, name: str) -> Branch:
    parent = name.rpartition("/")[0]
    while parent and parent not in found.branches:
        parent = parent.rpartition("/")[0]
    above = found.branches.get(parent) if parent else None
    begin = (above.steps[-1] if above.steps else above.begin) if above else None
    found.branches[name] = Branch(name, parent, begin)
    return found.branches[name]


def branches_as_json(found: Structure, trajectory: Trajectory, spent: Costs) -> list[dict[str, Any]]:
    """Return the branches as data for a report."""
    nothing = 0.0 if spent.steps else None
    return [
        {
            "name": branch.name,
            "parent": branch.parent,
            "from": branch.begin.id if branch.begin else "",
            "steps": len(branch.steps),
            "dollars": spent.branches[branch.name].as_json()["dollars"] if branch.name in spent.branches else nothing,
            "ended": _ended(trajectory, branch.name),
            "scores": [
                {"kind": note.kind, "text": note.text, "data": note.data if is_short_data(note.data) else {}}
                for note in branch.scores
            ],
        }
        for branch in found.branches.values()
    ]


def _ended(trajectory: Trajectory, branch: str) -> str:
    """Return the result of an attempt; empty for a branch that is not an attempt or has not ended."""
    once = trajectory.results.get((branch, "outcome"))
    outcome = once.value if once and isinstance(once.value, dict) else {}
    verdict = outcome.get("verdict")
    kind = str(verdict.get("kind", "")) if isinstance(verdict, dict) else ""
    return kind if kind in COMPLETE or kind == "disputed" else str(outcome.get("exit") or kind)
