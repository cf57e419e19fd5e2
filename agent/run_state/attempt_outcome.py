"""The outcome of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trajectories.migrations import facts_of, with_evidence
from trajectories.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attempt: its best tree, the verdict of its proof, and how it ended: a kind of `Exit`, or
    `ANSWERED`."""

    tree: str
    verdict: Verdict
    exit: str = ""


def load_outcome(value: dict[str, Any]) -> Outcome:
    """Build an outcome from its JSON form in the journal."""
    return Outcome(value["tree"], load_verdict(value["verdict"]), value["exit"])


def load_verdict(value: dict[str, Any]) -> Verdict:
    """Build a verdict from its JSON form in the journal, also from that of earlier versions."""
    value = with_evidence(value)
    parts: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    parts.pop("notes", None)
    return Verdict(**parts | {"facts": facts_of(value)})
