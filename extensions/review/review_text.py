"""A review on a terminal, in a file or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aci.observation.untrusted_text import one_line
from agent.engine.proof_step import ANSWER_TEXTS
from trajectories.outcome_words import PART_SENTENCES, verdict_tone

if TYPE_CHECKING:
    from agent.console.rich_terminal import Rich
    from agent.patch_checks.review import Review

MOST = 12
"""Maximum number of findings that are shown below a heading; `--json` and `--sarif` have all."""


def show_review(review: Review, out: Rich) -> None:
    """Write a review: verdict, the parts of the proof, where to look first, and findings by heading."""
    colour = "green" if verdict_tone(review.verdict) == "good" else "yellow"
    out.print(Text(review.headline, f"bold {colour}"), soft_wrap=True)
    if any(getattr(review.verdict, part) is not None for part in PART_SENTENCES):
        for part, meaning in PART_SENTENCES.items():
            out.print(Text(f"  {meaning}: {ANSWER_TEXTS[getattr(review.verdict, part)]}", "dim"), soft_wrap=True)
    if review.incomplete:
        out.print(Text(one_line(review.incomplete), "yellow"), soft_wrap=True)
    if review.is_silent:
        out.print("Nothing was found beside the proof.")
    if review.first:
        _heading("Look first at", out)
        for number, text in enumerate(review.first, 1):
            out.print(Text(f"{number}. {one_line(text)}"), soft_wrap=True)
    for name, findings in review.groups.items():
        _heading(f"{name} (not checked)" if findings[0].rule == "model-remark" else name, out)
        for one in findings[:MOST]:
            out.print(Text(f"· {one_line(one.sentence)}"), soft_wrap=True)
        if len(findings) > MOST:
            out.print(f"  and {len(findings) - MOST} more")


def _heading(text: str, out: Rich) -> None:
    out.print(Text(f"\n{text}", "bold"), soft_wrap=True)
