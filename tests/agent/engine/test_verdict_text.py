"""What a model reads of a verdict."""

from __future__ import annotations

from agent.engine.proof_step import verdict_text
from trajectories.facts import Fact
from trajectories.verdict import Verdict


def test_model_reads_why_pages_were_not_compared() -> None:
    reason = "Pages were not compared: none could be opened without the patch."
    extent = "Pages were compared: 9 views of 3 pages."
    verdict = Verdict("unproven", facts=(Fact("pages", extent), Fact("limit", reason)))
    assert f"- {reason}" in verdict_text(verdict)
    assert extent not in verdict_text(verdict)
    assert extent in verdict_text(verdict, whole=True)
