"""The reason for the outcome of a run in a batch: one of a fixed set of labels that can be counted."""

from __future__ import annotations

from extensions.lab.instances.jobs import JobResult
from trajectories.outcome_words import BATCH_ENDINGS, ENDINGS, Tone

OUTCOME_REASONS = {
    **{kind: ENDINGS[kind] for kind in ("verified", "plausible", "disputed", "unproven")},
    "empty": BATCH_ENDINGS["empty"],
    **{kind: ENDINGS[kind] for kind in ("stuck", "budget", "limit", "error")},
    "infrastructure": BATCH_ENDINGS["infrastructure"],
}
"""The reasons and their words. Runs that ended by themselves are `unproven` or `empty`; for other runs,
the reason for the stop matters more than whether they have a patch."""

COLOURS: dict[Tone, str] = {"good": "green", "warning": "yellow", "bad": "red", "neutral": "dim"}


def outcome_reason(done: JobResult) -> str:
    """Return the reason for a result, one of `OUTCOME_REASONS`."""
    if done.kind in ("verified", "faster"):
        return "verified"
    if done.kind in OUTCOME_REASONS and done.kind not in ("unproven", "empty"):
        return done.kind
    return "unproven" if done.patch or done.verdict == "unproven" else "empty"
