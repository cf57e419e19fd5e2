"""The review of a patch: verdict, where to look first, and findings in the order in which a reviewer needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.patch_checks.findings import RULES, Finding
from trajectories.verdict import Verdict

Lines = dict[str, frozenset[int]]
"""Lines by path."""
SHOWN = "shown-change"


@dataclass(frozen=True, slots=True)
class Review:
    """A review. `headline` is the verdict in a sentence, `first` are the places to look at first, `lines` are those
    that the diff shows, and `place` is where findings on the whole change are shown.

    `incomplete` says why the model that was asked to read the patch did not, or what ended the proof early; it is ""
    for a complete review.
    """

    verdict: Verdict
    headline: str
    findings: tuple[Finding, ...]
    first: tuple[str, ...]
    lines: Lines
    place: tuple[str, int]
    incomplete: str = ""

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to say: the patch is verified, and nothing else was found than what it does."""
        return self.verdict.verified and not self.incomplete and all(one.rule == SHOWN for one in self.findings)

    @property
    def groups(self) -> dict[str, list[Finding]]:
        """The findings by their heading, in order."""
        found: dict[str, list[Finding]] = {}
        for one in self.findings:
            found.setdefault(RULES[one.rule].group, []).append(one)
        return found

    def is_shown(self, one: Finding) -> bool:
        """Whether the diff shows the line of a finding."""
        return one.line in self.lines.get(one.path, ())

    def as_json(self) -> dict[str, Any]:
        """Return the review as the key `review` of `--json`."""
        findings = [
            {
                "rule": one.rule,
                "level": one.level,
                "path": one.path,
                "line": one.line,
                "text": one.text,
                "in_diff": self.is_shown(one),
            }
            for one in self.findings
        ]
        return {
            "headline": self.headline,
            "first": list(self.first),
            "findings": findings,
            "incomplete": self.incomplete,
        }
