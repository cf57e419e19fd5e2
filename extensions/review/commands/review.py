"""Review a patch or a pull request: what to look at first, with a proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import shared_options as options
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from agent.patch_checks.review import Review
    from trajectories.errors import SweAgentError

REVIEWED = (0, 1, 6)
"""Exit codes of a run that ended with a verdict; none of them is an error of the review."""


@options.with_run_options
def command(
    pr: Annotated[str, typer.Option(help="URL of a pull request on GitHub.", metavar="URL")] = "",
    branch: Annotated[str | None, typer.Option(help="Branch or commit with the changes.", metavar="REV")] = None,
    patch: Annotated[Path | None, typer.Option(help="File with the diff; `-` means stdin.", metavar="F")] = None,
    post: Annotated[bool, typer.Option("--post", help="Post the review on the pull request.")] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Model that also reads the patch once; by default, no model is used.", metavar="M"),
    ] = None,
    budget: options.Budget = None,
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: options.PatchBase = None,
    reproduce: options.PatchReproduction = None,
    independent: options.Independent = False,
    *,
    run_settings: dict[str, Any],
    sarif: options.Sarif = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Review a patch: prove it, and list what a reviewer should look at first.

    Without --post, the command writes nothing to GitHub.

    Exit codes: 0 (reviewed, whatever the verdict), 2 (usage), 3 (configuration), 5 (workspace), 75 (try again later),
    130 (interrupted).
    """
    from agent.config.settings import WITHOUT_MEMORY, load_settings
    from agent.console.foreground_run import drive_new
    from agent.console.rich_terminal import clean_printer, console
    from agent.conversation.model_roles import check_examiner
    from agent.inputs.issue_input import limit_to_base_date, reproduction_from
    from agent.inputs.patch_input import PatchOptions, check_isolation, find_patch
    from extensions.review.patch_review import review_of
    from extensions.review.review_output import ReviewConsole, review_posting, show

    given = PatchOptions(patch, branch, False, pr, None)
    given.validate(("pr", "branch", "patch"))
    if post and not pr:
        raise UsageError("--post needs a pull request.", "Give --pr URL.")
    options.check_writable(sarif)
    if post:
        from agent.inputs.github_urls import address_of

        review_posting().check_postable(address_of(pr))
    say = clean_printer(console(plain, stderr=True))
    found = find_patch(given, base, (issue, issue_file, text), repo, repo_mismatch_ok, None, say)
    settings = load_settings(
        found.source.file(".swe-agent.toml", found.commit) or b"",
        reproduce=reproduction_from(reproduce, found.source.root),
        strategy="review-patch" if model else "proposed-patch",
        **({"model": model} if model or independent else {"model": ""}),
        budget=budget,
        **WITHOUT_MEMORY,
        merge_review=True,
        independent=independent or bool(model),
        **run_settings,
    )
    if independent:
        check_examiner(settings)
    check_isolation(settings, staged=False)
    asked = limit_to_base_date(found.issue, found.source, found.commit)
    reviews: list[tuple[Review, Result]] = []

    def on_end(engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        if error is None:
            reviews.append((review_of(engine, ended), ended))

    shown = ReviewConsole(json=json, plain=plain)
    code = drive_new(asked, found.source, settings, shown, found.commit, found.proposal, on_end)
    if code not in REVIEWED or not reviews:
        return code
    review, ended = reviews[0]
    return show(review, ended, shown, sarif, (pr, found.head) if post else ("", ""))
