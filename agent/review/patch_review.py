"""The review of a patch: verdict, where to look first, and findings in the order in which a reviewer needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.observation.output_text import mask_secrets
from aci.repository.patch import belongs_to_tests
from agent.review.diff_lines import Lines, changed_lines
from agent.review.findings import RULES, Finding, patch_findings
from agent.review.model_remarks import model_remarks
from agent.review.review_focus import Hunk, hunks
from agent.run_state.proposed_tree import find_proposal
from trajectories.outcome_words import run_ending

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.verdict import Verdict

SHOWN = "shown-change"
MOST_FIRST = 5
"""Maximum number of places to look at first."""


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


def review_of(engine: Engine, ended: Result) -> Review:
    """Return the review of a run that proved a patch, with secrets masked."""
    hide = partial(mask_secrets, secrets=engine.secrets)
    base, tree = engine.run.base.tree, str(find_proposal(engine.trajectory)["tree"])
    lines = changed_lines(engine.trees, base, tree)
    found = patch_findings(engine, ended, lines)
    remarks, unread = model_remarks(engine, lines)
    places = _hunks(engine.trees.diff(base, tree))
    findings = (*found, *remarks)
    place = (places[0].path, places[0].line) if places else next(((path, 1) for path in lines), ("", 0))
    said = hide(run_ending(engine.trajectory, ended.exit).headline)
    first = tuple(map(hide, _first(findings, places)))
    return Review(ended.verdict, said, findings, first, lines, place, hide(unread or ended.exit.message))


def _hunks(diff: str) -> list[Hunk]:
    """Return the hunks of a diff outside of the tests, the largest first; those of tests if there are no others."""
    found = sorted(hunks(diff), key=lambda each: -each.size)
    return [each for each in found if not belongs_to_tests(each.path)] or found


def _first(findings: Sequence[Finding], places: Sequence[Hunk]) -> list[str]:
    """Return where to look first: serious findings with a place, then the largest change."""
    serious = [one for one in findings if one.level != "note" and one.path]
    lines = [one.sentence for one in serious[: MOST_FIRST - 1]]
    if places:
        most = places[0]
        within = f" (in {most.within})" if most.within else ""
        words = "the only change" if len(places) == 1 else f"the largest of {len(places)} changes"
        lines.append(f"{most.path}:{most.line}{within}: {words}.")
    return lines


def sarif_of(review: Review, tool: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the review as SARIF."""
    from agent.review.sarif import as_sarif

    own = {"verdict": review.verdict.kind, "headline": review.headline}
    findings = [one for one in review.findings if one.rule != SHOWN]  # no viewer should list it as a problem
    return as_sarif(findings, tool, review.place, own | dict(properties))
