"""Summaries of earlier attempts for later ones: files, patch, proof, and the results of other attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from agent.engine.proof_step import verdict_text

if TYPE_CHECKING:
    from agent.candidates.diverse_attempts import Candidate
    from agent.engine.task import Task

MOST_PATCH = 6_000
"""Maximum number of characters shown of a patch."""
INSTRUCTION = "Continue from here: keep what is right, fix what is not, and submit."


def attempt_summary(one: Candidate) -> str:
    """Return a summary of a candidate: its patch and the result of its proof."""
    text = cut(one.patch.source or "(no change of the source)", MOST_PATCH)
    return f"The patch of {one.name}:\n{quote_text(text)}\n{quote_text(verdict_text(one.verdict))}"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, followed by the number of characters that were cut."""
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} characters more"


def describe_attempts(task: Task, known: Sequence[Candidate], at: int) -> str:
    """Return a summary of the candidate to continue from, and short summaries of the other candidates."""
    others = [
        quote_text(f"{one.name}:\n{one.patch.source[: MOST_PATCH // 3]}") for one in known if one is not known[at]
    ]
    alternatives = (
        ["Other attempts took different approaches; it is not known which is right:", *others] if others else []
    )
    return "\n\n".join(
        ["This is the result of an earlier attempt.", attempt_summary(known[at]), *alternatives, INSTRUCTION]
    )
