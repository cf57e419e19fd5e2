"""The reason for the outcome of a run in a batch: one of a fixed set of labels that can be counted."""

from __future__ import annotations

from agent.instances.jobs import JobResult

OUTCOME_REASONS = {
    "verified": "green",
    "unproven": "yellow",
    "empty": "yellow",
    "stuck": "yellow",
    "budget": "yellow",
    "limit": "yellow",
    "error": "red",
    "infrastructure": "red",
}
"""Reasons and the colours they are shown in. Runs that ended by themselves are `unproven` or `empty`; for other runs,
the reason for the stop matters more than whether they have a patch."""


def outcome_reason(done: JobResult) -> str:
    """Return the reason for a result, one of `OUTCOME_REASONS`."""
    if done.kind in ("verified", "faster"):
        return "verified"
    if done.kind in OUTCOME_REASONS and done.kind not in ("unproven", "empty"):
        return done.kind
    return "unproven" if done.patch or done.verdict == "unproven" else "empty"
