"""Report of the error that ended a command: a message and a fix, on stderr, or as JSON on stdout."""

from __future__ import annotations

import json
import os
from errno import EACCES, EIO, ELOOP, ENAMETOOLONG, ENOSPC, ENOTDIR, EPERM, EROFS

import typer

from trajectories.errors import Cancelled, SweAgentError, WorkspaceError

INTERRUPTED = Cancelled.code, "Interrupted.", "`swe-agent runs` lists what can be resumed."


MACHINE_ERRORS = (EACCES, EPERM, EROFS, ENOTDIR, ELOOP, ENAMETOOLONG, EIO)
"""Error numbers of a file or folder that this machine does not let the user read or write, such as one that a variable
names."""


def report_failure(arguments: list[str], error: SweAgentError | OSError) -> int:
    """Report the error that ended a command, and return its exit code. Raises an unexpected OSError again."""
    if isinstance(error, SweAgentError):
        return report_error(arguments, error.code, error.message, error.fix)
    if error.errno in MACHINE_ERRORS and isinstance(error.filename, str | bytes):
        fix = "Check its permissions, and the variable or setting that names it or a folder above it."
        message = f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
        return report_error(arguments, WorkspaceError.code, message, fix)
    if error.errno != ENOSPC:
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing stdout at exit would fail again
    return report_error([], WorkspaceError.code, f"The disk is full: {error.strerror}.", "Free some space.")


def report_error(arguments: list[str], code: int, message: str, fix: str) -> int:
    """Report an error and its fix, on stdout with --json, else on stderr; return `code`."""
    if "--json" in arguments:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "fix": fix}}))
    else:
        from aci.observation.untrusted_text import clean_text

        typer.echo(clean_text(f"swe-agent: {message} {fix}".strip()), err=True)
    return code
