"""The comment on the proof of a pull request: verdict, a table of the proof's steps, what it rests on, merge review.

Everything comes from an untrusted result and is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.patch_checks.review_focus import reviewer_notes
from extensions.github.pull_request.pull_request_body import proof
from extensions.github.task.secret_masking import mask_keys
from extensions.github.text_escaping import bullet_list, escape_markdown, format_name
from trajectories.outcome_words import patch_word

if TYPE_CHECKING:
    from extensions.github.task.result_file import Outcome

STEPS = {
    "red": "A test shows the issue: it fails without the change",
    "green": "It passes with the change",
    "red_again": "It fails again without the change to the source",
    "no_loss": "Tests that passed before still pass",
}
ANSWERS = {True: "yes", False: "**no**", None: "unknown"}
BASIS = (
    "The description of this pull request was taken as the issue. The tests ran with the settings and the test "
    "configuration of the base, in a container without a network."
)


def verdict_name(outcome: Outcome) -> str:
    """Return the word for the patch, such as `Verified` or `Unproven`, or `No verdict`."""
    verdict = outcome.result["verdict"]
    if verdict["kind"] == "verified" and outcome.exit != 0:
        return "No verdict"
    has_run = any(verdict[step] is not None for step in STEPS)
    return patch_word(verdict["kind"]).capitalize() if has_run or outcome.exit in (1, 6) else "No verdict"


def proof_comment(outcome: Outcome) -> str:
    """Return the text of the comment, with keys masked."""
    outcome = replace(outcome, result=mask_keys(outcome.result))
    verdict, error = outcome.result["verdict"], outcome.result.get("error")
    parts = [f"**{verdict_name(outcome)}.**", escape_markdown(f"{error['message']} {error['fix']}") if error else ""]
    if any(verdict[step] is not None for step in STEPS):
        rows = [f"| {words} | {answer(verdict, step)} |" for step, words in STEPS.items()]
        parts += ["\n".join(["| | |", "|---|---|", *rows]), proof(outcome), BASIS]
    parts.append(bullet_list(map(escape_markdown, reviewer_notes(verdict))))
    parts.append(_review(outcome.result.get("merge_review") or {}))
    return "\n\n".join(filter(None, parts))


def answer(verdict: Mapping[str, Any], step: str) -> str:
    """Return the answer of the proof to one of its STEPS, as Markdown."""
    scope = f", {escape_markdown(verdict['compared'])}" if step == "no_loss" and verdict.get("compared") else ""
    return f"{ANSWERS[verdict[step]]}{scope}"


def _review(review: Mapping[str, Any]) -> str:
    found = [
        f"{format_name(one['path'])} line {one['line']}, {escape_markdown(one['kind'])}: {escape_markdown(one['text'])}"
        for one in review.get("findings", ())
    ]
    shown = bullet_list([*found, *map(escape_markdown, review.get("notes", ()))])
    return f"Before merging:\n\n{shown}" if shown else ""
