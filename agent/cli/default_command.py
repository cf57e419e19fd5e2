"""The default command: a session.

`swe-agent` without arguments comes here directly, because importing the command line takes as long as drawing a screen.
"""

from __future__ import annotations

from trajectories.errors import UsageError
from trajectories.plugins import extension_module

PROGRAM = "swe-agent"
COMPLETE = "_SWE_AGENT_COMPLETE"
"""The variable with which a shell asks for completions of an unfinished command line."""


def run_bare() -> int:
    """Open a session in the current folder and return its exit code. Errors are reported as for a subcommand."""
    try:
        session = extension_module("agent.cli.default_command", f"`{PROGRAM}` alone", "interactive")
    except UsageError as error:
        from agent.console.error_report import report_failure

        return report_failure([], error)
    code: int = session.run_bare()
    return code
