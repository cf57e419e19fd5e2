"""The input of a turn: what the user asked for, what the turn starts from, and its settings and prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.run_state.turn_state import turn_base_tree, turn_issue
from trajectories.records import Base, Issue, Run

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from trajectories.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What the user asked for in a turn, and what the turn starts from."""

    issue: Issue
    """The request, as an issue."""
    request: str
    """The request as the user typed it."""
    base: Base
    """The base against which the turn's changes are shown and proven."""
    strategy: str
    prompts: Mapping[str, str]
    """The strategy's prompts by name."""
    settings: Settings
    is_later: bool
    """Whether there were turns before this one."""


def current_turn_input(run: Run, trajectory: Trajectory, settings: Settings) -> TurnInput:
    """Return the input of the current turn."""
    turn, is_later = trajectory.turns[-1], len(trajectory.turns) > 1
    return TurnInput(
        issue=turn_issue(turn) if is_later else run.issue,
        request=turn.request if is_later else run.issue.text,
        base=replace(run.base, tree=turn_base_tree(trajectory, run.base.tree)) if is_later else run.base,
        strategy=turn.strategy,
        prompts=turn.prompts or run.prompts,
        settings=settings,
        is_later=is_later,
    )
