"""Why a run of a batch came out as it did: one word each, for those who count them."""

from __future__ import annotations

from agent.batch.place import Done

CAUSES = {
    "verified": "green",
    "unproven": "yellow",
    "empty": "yellow",
    "stuck": "yellow",
    "budget": "yellow",
    "limit": "yellow",
    "error": "red",
    "infrastructure": "red",
}
"""Each with the colour it is shown in. `unproven` and `empty` are those that came to their own end; what stopped the
others says more than whether they left a patch."""


def cause(done: Done) -> str:
    """One of `CAUSES`."""
    if done.kind in ("verified", "faster"):
        return "verified"
    if done.kind in CAUSES and done.kind not in ("unproven", "empty"):
        return done.kind
    return "unproven" if done.patch or done.verdict == "unproven" else "empty"
