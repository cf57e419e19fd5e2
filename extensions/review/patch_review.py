"""How a run that proved a patch becomes a review, and a review SARIF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.repository.patch import diff_sections
from aci.repository.test_files import belongs_to_tests
from agent.patch_checks.findings import Finding
from agent.patch_checks.review import SHOWN, Lines, Review
from agent.patch_checks.review_focus import Hunk, hunks
from agent.run_state.proposed_tree import find_proposal
from extensions.review.model_remarks import model_remarks
from extensions.review.patch_findings import patch_findings
from trajectories.outcome_words import run_ending
from trajectories.unified_diff import shown_lines

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.git_store.trees import Trees

MOST_FIRST = 5
"""Maximum number of places to look at first."""


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


def changed_lines(trees: Trees, base: str, tree: str) -> Lines:
    """Return the shown lines of each file that differs between two trees; none for binary and deleted files."""
    paths = [one.path for one in trees.changed(base, tree) for _ in range(1 + (one.status == "T"))]
    sections = zip(paths, diff_sections(trees.diff(base, tree)), strict=True)
    return {path: shown_lines(section) for path, section in sections}


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
    from agent.patch_checks.sarif import as_sarif

    own = {"verdict": review.verdict.kind, "headline": review.headline}
    findings = [one for one in review.findings if one.rule != SHOWN]  # no viewer should list it as a problem
    return as_sarif(findings, tool, review.place, own | dict(properties))
