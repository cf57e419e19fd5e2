"""Error messages for users: a sentence and a fix, without a traceback."""

from __future__ import annotations

import re
from traceback import extract_tb

from extensions.interactive.session.session_events import MessageEvent
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError

RESUME_COMMAND = re.compile(r"`swe-agent resume(?: [\w.-]+)?`")
"""The command that resumes the current run from a shell. A path names another run, so it is not matched."""


def to_swe_agent_error(error: Exception) -> SweAgentError:
    """Convert any error to a SweAgentError whose message can be shown in a session, where /resume resumes the run."""
    if isinstance(error, Cancelled):
        return Cancelled("Interrupted.", "Say what to do instead, or use /resume to continue.")
    if isinstance(error, SweAgentError):
        error.fix = RESUME_COMMAND.sub("`/resume`", error.fix)
        return error
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        what = f"This machine failed: {error.strerror or error}{where}."
        return WorkspaceError(what, "Fix it, then use /resume.")
    last = next(reversed(extract_tb(error.__traceback__)), None)
    where = f" in {last.name}, line {last.lineno} of {last.filename}" if last else ""
    return SweAgentError(
        f"swe-agent has a bug: {type(error).__name__}: {error}{where}.",
        "The recorded run is kept. Please report this.",
    )


def error_event(error: Exception) -> MessageEvent:
    ours = to_swe_agent_error(error)
    return MessageEvent(f"{ours.message} {ours.fix}".strip(), "error", code=ours.code)
