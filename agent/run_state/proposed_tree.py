"""The tree of a proposed patch, which a note after the first turn records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trajectories.git_store.trees import Trees
from trajectories.records import Note
from trajectories.trajectory import PROPOSAL, Trajectory

NOT_ISOLATED = "A patch from elsewhere does not run in the local workspace, which has no isolation."
LONGEST_TEST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch that somebody made: its name for the user, such as `branch fix`, and a function that writes its tree to a
    run's store. `reproduction` are the tests that show the issue. `is_own` tells whether these are the user's own
    changes, which may run without isolation.

    `claims` is what an evidence bundle says of the proof, and `problems` returns what it says about base and patch that
    is not so, from the store and the tree."""

    name: str
    tree: Callable[[Trees], str]
    reproduction: tuple[str, ...] = ()
    is_own: bool = False
    claims: bytes = b""
    problems: Callable[[Trees, str], Iterable[str]] = lambda trees, tree: ()


def proposal_note(proposal: Proposal, tree: str, claims: int | None, problems: Sequence[str]) -> Note:
    """Return the note for a proposed patch; `claims` is the number of the output with its claims."""
    data = {
        "tree": tree,
        "own": proposal.is_own,
        "reproduction": list(proposal.reproduction),
        "claims": claims,
        "problems": list(problems),
    }
    return Note("main", PROPOSAL, f"Proposed: {proposal.name}.", data)


def find_proposal(trajectory: Trajectory) -> dict[str, Any]:
    """Return the data of the note for the proposed patch, or {} if the run has none."""
    return next((note.data for note in trajectory.notes if note.kind == PROPOSAL), {})


def is_test_name(name: str) -> bool:
    """Whether a text can be a test's name; an option of a test runner is none."""
    return bool(name.strip()) and not name.startswith("-") and name.isprintable() and len(name) <= LONGEST_TEST_NAME
