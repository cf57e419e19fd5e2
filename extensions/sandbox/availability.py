"""Whether a sandbox can be used on this machine, and which limits it has there."""

from __future__ import annotations

from extensions.sandbox.bubblewrap import unavailable_reason
from extensions.sandbox.sandbox_process import Sandbox
from extensions.sandbox.systemd_scope import systemd_run
from extensions.sandbox.visible_paths import add_own_files, system_contents
from trajectories.errors import WorkspaceError


def sandbox_error() -> WorkspaceError | None:
    """Start an empty sandbox; return why that is impossible, or None if it works."""
    if error := unavailable_reason():
        return error
    inside = system_contents()
    add_own_files(inside, "/")
    try:
        Sandbox(inside).end()
    except WorkspaceError as error:
        return error
    return None


def describe_limits() -> str:
    """Return which limits the processes of a sandbox have together, and which only each of them."""
    if systemd_run():
        return "memory, processes and CPUs are limited in total by a systemd scope; files by their total size"
    return "memory is limited for each process, not in total; CPU time is not limited; files by their total size"
