"""The result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trajectories.page_picture import ChangedPage
from trajectories.records import Exit, Patch, Spent
from trajectories.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run that has ended with `exit`, or of a run that was stopped and can be resumed."""

    run: str
    directory: Path
    exit: Exit
    patch: Patch
    spent: Spent
    steps: int
    ended: bool
    effects: tuple[str, ...] = ()
    """Descriptions of the changes to the user's repository."""
    word: str = ""
    """The closing message of the model or strategy; may be empty."""
    began: str = ""
    """The tree at the start of the turn. The turn's patch is the difference between this tree and the exit's tree."""
    pull: str = ""
    """The URL of the pull request with the patch."""
    candidates: tuple[Mapping[str, Any], ...] = ()
    """The candidates of `optimize`, each with its status, the reasons, its instructions and its reward."""
    pages: tuple[ChangedPage, ...] = ()
    """The pages of the project that the patch changes. Pages with changes that the issue does not request are first."""
    review: Mapping[str, Any] | None = None
    """The review of the patch before merging, if the setting `merge_review` is on: `findings` and `notes`."""
    flagged: Mapping[str, str] = field(default_factory=dict)
    """The delivered files that the user should check first, with the reasons (`agent/patch_checks`)."""

    @property
    def verdict(self) -> Verdict:
        """The result of the proof."""
        return self.exit.verdict
