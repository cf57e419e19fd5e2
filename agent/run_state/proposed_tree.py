"""The tree of a proposed patch, which a note after the first turn records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trajectories.git_store.trees import Trees
from trajectories.records import Note
from trajectories.trajectory import Trajectory

PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch that somebody made: its name for the user, such as `branch fix`, and a function that writes its tree to a
    run's store."""

    name: str
    tree: Callable[[Trees], str]


def proposal_note(tree: str, name: str) -> Note:
    """Return the note for a proposed patch."""
    return Note("main", PROPOSAL, f"Proposed: {name}.", {"tree": tree})


def proposed_tree(trajectory: Trajectory) -> str:
    """Return the tree of the proposed patch, or "" if the run has none."""
    return next((str(note.data["tree"]) for note in trajectory.notes if note.kind == PROPOSAL), "")
