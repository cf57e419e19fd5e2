"""The result of one check of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from trajectories.errors import WorkspaceError


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and how to fix it if it is not `ok`."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    code: int = WorkspaceError.code
    """The exit code of a run that fails for this reason."""
    warning: bool = False
    """Whether something is wrong, but runs work."""
