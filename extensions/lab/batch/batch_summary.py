"""A batch's summary as JSON and as text."""

from __future__ import annotations

from typing import Any

from extensions.lab.batch.batch_driver import BatchSummary


def as_json(summary: BatchSummary) -> dict[str, Any]:
    """Return the object that `batch --json` prints."""
    fields: dict[str, Any] = {
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
        fields["error"] = {"code": error.code, "message": error.message, "fix": error.fix}
    return fields


def summary_text(summary: BatchSummary) -> str:
    """Return the last lines that a batch prints."""
    exits = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in summary.exits.items())
    cost = "an unknown cost" if summary.dollars is None else f"${summary.dollars:.4f}"
    lines = [f"{summary.done} of {summary.instances} done for {cost}{f': {exits}' if exits else ''}."]
    if summary.error is not None:
        lines.append(f"{summary.error.message} {summary.error.fix}".strip())
    lines.append(f"Predictions: {summary.out / 'preds.json'}")
    return "\n".join(lines)
