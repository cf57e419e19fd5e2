"""What a run uses of earlier runs and of the user's notes, and what it leaves for later runs.

An extension provides it as a subclass of RunMemory, by the plug-in kind `agent.engine.run_memory`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.engine.engine import Engine
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Exit, Step


class RunMemory:
    """The memory of a run; this one is empty.

    Methods that return text for a prompt return "" if there is nothing to show. They record what they found, so a
    resumed run gets the same text.
    """

    def notes(self, branch: Branch) -> str:
        """Return the user's notes, for the first message of a conversation."""
        return ""

    def new_notes(self, branch: Branch) -> str:
        """Return the notes that the user added since the conversation's earlier turns."""
        return ""

    def past_runs(self, branch: Branch, places: dict[str, Any]) -> str:
        """Return what earlier runs in the repository with similar issues did. `places` are the likeliest places, as
        returned by `opening_prompt.places`."""
        return ""

    def lessons(self, branch: Branch, name: str, change: str = "") -> str:
        """Return lessons of earlier runs for a choice, recorded under `name`. `change` is a diff that was made
        already."""
        return ""

    def write_lesson(self, branch: Branch, outcome: Outcome) -> Generator[Step, None, None]:
        """Write the lesson of a turn whose strategy has ended, if a model is named for that."""
        yield from ()

    def store_lessons(self, engine: Engine, coming: Exit) -> None:
        """Store what a turn leaves for later runs; `coming` is its exit, which is recorded afterwards. Nothing is
        raised, because the work itself has already ended."""


def run_memory() -> RunMemory:
    """Return the memory of an extension, or an empty one if none is installed."""
    module = installed_module("agent.engine.run_memory")
    memory: RunMemory = module.StoredMemory() if module else RunMemory()
    return memory
