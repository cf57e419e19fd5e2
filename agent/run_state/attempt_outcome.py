"""What an attempt came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trajectories.records import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """The best tree, what its proof found, and how the attempt ended (see `Exit.kind`)."""

    tree: str
    verdict: Verdict
    exit: str = ""


def load_outcome(value: dict[str, Any]) -> Outcome:
    """An outcome as the journal holds it."""
    return Outcome(value["tree"], load_verdict(value["verdict"]), value["exit"])


def load_verdict(value: dict[str, Any]) -> Verdict:
    """A verdict as the journal holds it."""
    parts: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Verdict(**parts)
