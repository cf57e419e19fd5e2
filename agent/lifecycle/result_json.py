"""The result of a run as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agent.lifecycle.run_result import Result
from trajectories.errors import SweAgentError
from trajectories.page_picture import ChangedPage


def as_json(result: Result, error: SweAgentError | None = None) -> dict[str, Any]:
    """Return the object that `fix --json` and `resume --json` print, except for `effects`, the changes to the user's
    repository."""
    verdict = result.exit.verdict
    spent = result.spent
    data: dict[str, Any] = {
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
            "compared": verdict.compared,
            "generality": verdict.generality,
            "evidence": verdict.evidence,
            "checks": list(verdict.checks),
            "contradicted": list(verdict.contradicted),
            "conditions": list(verdict.conditions),
            "flaky": list(verdict.flaky),
            "commands": list(verdict.commands),
            "tests": list(verdict.tests),
            "lost": list(verdict.lost),
            "notes": list(verdict.notes),
            "facts": [asdict(fact) for fact in verdict.facts],
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
    if result.pages:
        data["pages"] = [_page(result, page) for page in result.pages]
    if result.candidates:
        data["candidates"] = [dict(each) for each in result.candidates]
    if result.review is not None:
        data["merge_review"] = dict(result.review)
    if result.flagged:
        data["flagged"] = dict(result.flagged)
    if result.pull:
        data["pull"] = result.pull
    if error is not None:
        data["error"] = {"code": error.code, "message": error.message, "fix": error.fix}
    elif result.exit.message:
        data["error"] = {"code": result.exit.code, "message": result.exit.message, "fix": result.exit.fix}
    return data


def _page(result: Result, page: ChangedPage) -> dict[str, Any]:
    """Return a changed page. Its pictures are paths in the run's folder; the files are created if they are missing."""
    from trajectories.page_picture import picture_file

    files = {name: picture_file(result.directory, number) for name, number in page.pictures.items()}
    return {
        "path": page.path,
        "width": page.width,
        "dark": page.dark,
        "asked": list(page.asked),
        "unasked": list(page.unasked),
        **{name: file.relative_to(result.directory).as_posix() for name, file in files.items() if file},
    }
