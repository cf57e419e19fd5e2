"""The start of a run in the foreground: its workspace is chosen, its folder written, and the run opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.config.workspace_choice import choose_workspace
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.run_state.progress_event import ProgressEvent

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.limits.cancellation import CancellationToken
    from agent.run_state.proposed_tree import Proposal
    from trajectories.records import Issue


def open_new_run(
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None,
    notify: Callable[[ProgressEvent], object],
    proposed: Proposal | None = None,
    parent: CancellationToken | None = None,
) -> Engine:
    """Create a run at `rev` and open it; `notify` is called with its progress, from the choice of the workspace on.
    Cancelling `parent` cancels the run."""
    chosen = choose_workspace(settings, lambda text: notify(ProgressEvent("say", "main", text)))
    return reopen(begin(issue, source, chosen, rev, proposed=proposed), chosen.state, notify, parent=parent)
