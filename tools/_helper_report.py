"""The report of a helper to which a model delegated a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HelperReport:
    """What the helper says, and `notes` on its changes. `ok` is false if it stopped without a report, or if a change
    could not be merged."""

    report: str
    notes: tuple[str, ...] = ()
    ok: bool = True


Delegate = Callable[[str, bool], HelperReport]
"""Function that has a helper do a task; the second argument says whether it may change files."""
