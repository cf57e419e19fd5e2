"""Runs on disk in a line each, and a result as programs read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.ledger import Ledger
from agent.solve import Result
from trajectories.errors import RunBroken, SweAgentError, UsageError
from trajectories.journal import read


def summaries(runs: Path) -> list[dict[str, Any]]:
    """What `runs --json` lists, newest first; a damaged run is left out of nobody's sight: its exit is `damaged`."""
    found = [_summary(folder) for folder in runs.glob("*") if (folder / "journal.jsonl").exists()]
    return sorted(found, key=lambda run: run["at"], reverse=True)


def _summary(directory: Path) -> dict[str, Any]:
    line: dict[str, Any] = {"run": directory.name, "at": 0.0, "issue": "", "exit": None, "ended": None}
    line |= {"dollars": None, "steps": 0}
    try:
        trajectory = read(directory)
    except (RunBroken, UsageError):
        return line | {"at": directory.stat().st_mtime, "exit": "damaged", "ended": "damaged", "resumable": False}
    if trajectory.run is None:
        return line | {"at": directory.stat().st_mtime, "resumable": False}
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    return line | {
        "at": trajectory.run.at,
        "issue": trajectory.run.issue.title,
        "exit": trajectory.exit.code if trajectory.exit else None,
        "ended": trajectory.exit.kind if trajectory.exit else None,
        "dollars": ledger.spent.dollars,
        "steps": len(trajectory.all_steps()),
        "resumable": trajectory.exit is None,
    }


def as_json(result: Result, error: SweAgentError | None = None) -> dict[str, Any]:
    """The object that `fix --json` and `resume --json` print, but for what was done to the user's repository."""
    verdict = result.exit.verdict
    spent = result.spent
    told: dict[str, Any] = {
        "run": result.run,
        "exit": error.code if error else result.exit.code,
        "patch": result.patch.diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        "verdict": {
            "kind": verdict.kind,
            "granularity": verdict.granularity,
            "red": verdict.red,
            "green": verdict.green,
            "red_again": verdict.red_again,
            "no_loss": verdict.no_loss,
            "checks": list(verdict.checks),
            "contradicted": list(verdict.contradicted),
            "flaky": list(verdict.flaky),
            "commands": list(verdict.commands),
            "tests": list(verdict.tests),
            "lost": list(verdict.lost),
            "notes": list(verdict.notes),
        },
        "usage": {
            "dollars": spent.dollars,
            "input_tokens": spent.input_tokens,
            "cached_tokens": spent.cached_tokens,
            "output_tokens": spent.output_tokens,
            "calls": spent.calls,
        },
        "steps": result.steps,
        "seconds": round(result.exit.seconds, 3),
        "directory": str(result.directory),
        "word": result.word,
    }
    if result.pull:
        told["pull"] = result.pull
    if error is not None:
        told["error"] = {"code": error.code, "message": error.message, "fix": error.fix}
    elif result.exit.message:
        told["error"] = {"code": result.exit.code, "message": result.exit.message, "fix": result.exit.fix}
    return told
