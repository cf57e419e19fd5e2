"""Permission for subcommands that run code of an issue or a repository outside a run of the agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.permissions.approvals import Approval
from agent.permissions.decisions import allow_unless_denied
from agent.run_state.run_settings import ISOLATION
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.config.settings import Settings


def check_may_run(
    commands: Sequence[str], settings: Settings, workspace: str | None, what: str = "issue's example"
) -> None:
    """Raise UsageError if the commands would run without isolation although the `workspace` that the user asked for is
    not `local`, or if a rule denies one of them. Without commands, no rule is checked yet."""
    if settings.workspace != "local":
        return
    if workspace != "local":
        raise UsageError(f"The {what} would run without isolation.", ISOLATION)
    if not commands:
        return
    question = f"Run the {what} on this machine?"
    answer = allow_unless_denied(Approval("command", question, "\n".join(commands)), settings.permissions)
    if not answer.yes:
        raise UsageError(f"The {what} was not run. {answer.reason}", "Use --workspace docker.")
