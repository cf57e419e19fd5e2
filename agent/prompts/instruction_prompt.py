"""The instruction files of the repository in the first message: those of the root and those nearest to likely
places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aci.instructions.instruction_frames import frame_for_places

if TYPE_CHECKING:
    from agent.engine.branch import Branch

NEAR_PLACES = 5
"""Maximum number of likely places whose instruction files are shown."""
ABOUT_NAMES = re.compile(
    r"\bAUTHORS\b|\bCONTRIBUTORS\b|\badd (?:yourself|your(?: own)? name)\b|\byour name\b|sign(?:ed)?[- ]off|\bCLA\b",
    re.IGNORECASE,
)
ABOUT_NUMBERS = re.compile(
    r"\b(?:issue|ticket|bug|pr|pull[- ]request|gh)[-_ ]*(?:number|num|id|no\.)|[<{\[](?:issue|ticket|pr|number|pull)\b"
    r"|#(?:\d{3,}|N+\b|X+\b)|\b\d{3,}\.\w*\.?(?:rst|md|txt)\b",
    re.IGNORECASE,
)


def repository_notes(branch: Branch, found: dict[str, Any]) -> str:
    """Return the instruction files of the base, which are data and not instructions for this run, and its skills.

    Lines about the contributor's name, and without a URL of the issue those about its number, cannot be followed and
    are left out.
    """
    has_number = bool(branch.turn.issue.url)

    def is_usable(text: str) -> bool:
        return not ABOUT_NAMES.search(text) and (has_number or not ABOUT_NUMBERS.search(text))

    hits = [hit["path"] for hit in (found["functions"] or found["files"])[:NEAR_PLACES]]
    return frame_for_places(branch.engine.base_instructions.files, hits, is_usable)
