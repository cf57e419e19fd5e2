"""What went wrong, as a user reads it: a sentence and what to do, never a traceback."""

from __future__ import annotations

from traceback import extract_tb

from agent.session.events import Told
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError


def as_ours(error: Exception) -> SweAgentError:
    """Any error as one of ours, in words for a session."""
    if isinstance(error, Cancelled):
        return Cancelled("Interrupted.", "Say what to do instead, or /resume to go on as it was.")
    if isinstance(error, SweAgentError):
        return error
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        what = f"This machine failed: {error.strerror or error}{where}."
        return WorkspaceError(what, "Mend it, then go on with /resume.")
    last = next(reversed(extract_tb(error.__traceback__)), None)
    where = f" in {last.name}, line {last.lineno} of {last.filename}" if last else ""
    return SweAgentError(
        f"swe-agent made a mistake of its own: {type(error).__name__}: {error}{where}.",
        "What was recorded is kept. Please report it.",
    )


def told(error: Exception) -> Told:
    ours = as_ours(error)
    return Told(f"{ours.message} {ours.fix}".strip(), "error", code=ours.code)
