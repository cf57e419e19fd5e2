"""What a batch has come to, for a program and for a person."""

from __future__ import annotations

from typing import Any

from agent.batch.driver import Summary


def as_json(summary: Summary) -> dict[str, Any]:
    """The object that `batch --json` prints."""
    told: dict[str, Any] = {
        "out": str(summary.out),
        "instances": summary.instances,
        "done": summary.done,
        "exits": summary.exits,
        "verified": summary.verified,
        "dollars": summary.dollars,
        "seconds": summary.seconds,
        "left": summary.left,
    }
    if summary.error is not None:
        error = summary.error
        told["error"] = {"code": error.code, "message": error.message, "fix": error.fix}
    return told


def in_words(summary: Summary) -> str:
    """The last lines of a batch."""
    exits = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in summary.exits.items())
    cost = "an unknown sum" if summary.dollars is None else f"${summary.dollars:.4f}"
    lines = [f"{summary.done} of {summary.instances} done for {cost}{f': {exits}' if exits else ''}."]
    if summary.error is not None:
        lines.append(f"{summary.error.message} {summary.error.fix}".strip())
    lines.append(f"Predictions: {summary.out / 'preds.json'}")
    return "\n".join(lines)
