"""The result of one check of `doctor`. The checks are in extensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import WorkspaceError

Notify = Callable[[ProgressEvent], object]


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
