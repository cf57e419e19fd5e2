"""The output of `swe-agent review`: text or JSON, a SARIF file, and the review on the pull request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agent.console.run_display import Console
from agent.lifecycle.result_json import as_json
from agent.lifecycle.run_result import Result
from agent.patch_checks.review import Review
from extensions.review.patch_review import sarif_of
from extensions.review.review_text import show_review
from trajectories.errors import SweAgentError
from trajectories.plugins import extension_module


class ReviewConsole(Console):
    """The console of a run whose result is shown as a review, after the run has been closed."""

    def result(self, result: Result, error: SweAgentError | None = None) -> None:
        if error is not None:
            super().result(result, error)


def review_posting() -> Any:
    """Return the module of the extension that posts reviews. Raises UsageError if it is not installed."""
    return extension_module("extensions.review.posting", "Posting a review", "github")


def show(review: Review, ended: Result, console: Console, sarif: Path | None, post: tuple[str, str]) -> int:
    """Show a review, and post it if `post` names the URL of a pull request and its commit. Returns the exit code.

    An error of the post is shown or raised after the review itself.
    """
    from agent.patch_checks.sarif import write_sarif

    if sarif:
        write_sarif(sarif, sarif_of(review, "review", {"run": ended.run}))
    if not console.json:
        show_review(review, console.out)
        console.out.print(f"[dim]The run is in {ended.directory}.[/]", soft_wrap=True)
    error: SweAgentError | None = None
    posted = {}
    if post[0]:
        try:
            posted = _post(review, *post)
        except SweAgentError as failed:
            error = failed
    if console.json:
        from json import dumps

        printed = as_json(ended, error) | {"review": review.as_json() | ({"posted": posted} if post[0] else {})}
        sys.stdout.write(dumps(printed | {"exit": error.code if error else 0}) + "\n")
        return error.code if error else 0
    if error:
        raise error
    if posted:
        words = f"{posted['remarks']} new remarks, {posted['url']}" if posted["url"] else "nothing to say, so nothing"
        console.out.print(f"Posted: {words}.", soft_wrap=True, markup=False)
    return 0


def _post(review: Review, url: str, head: str) -> dict[str, object]:
    from agent.inputs.github_urls import address_of

    done = review_posting().post_review(address_of(url), head, review)
    return {"url": done.url, "remarks": done.remarks}
