"""Prove a patch that you or another program made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.errors import SweAgentError


@options.with_run_options
def command(
    patch: Annotated[Path | None, typer.Option(help="File with the diff; `-` means stdin.", metavar="F")] = None,
    branch: Annotated[str | None, typer.Option(help="Branch or commit with the changes.", metavar="REV")] = None,
    staged: Annotated[bool, typer.Option("--staged", help="Prove the staged changes.")] = False,
    pr: Annotated[str, typer.Option(help="URL of a pull request on GitHub.", metavar="URL")] = "",
    check: Annotated[
        Path | None,
        typer.Option(help="File that --bundle wrote: prove its patch again, and compare the results.", metavar="F"),
    ] = None,
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: options.PatchBase = None,
    reproduce: options.PatchReproduction = None,
    independent: options.Independent = False,
    model: Annotated[
        str | None, typer.Option(help="Model that writes the tests of --independent.", metavar="M")
    ] = None,
    budget: options.Budget = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write the patch and the evidence for the verdict to this archive.", metavar="F")
    ] = None,
    *,
    run_settings: dict[str, Any],
    sarif: options.Sarif = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Prove a patch that you or another program made; without --independent, no model is used.

    The proof uses the existing tests, the test configuration and the settings of the base.

    Exit codes: 0 (verified), 6 (plausible, disputed or unproven), 1 (the patch changes nothing), 2 (usage),
    3 (configuration), 5 (workspace), 75 (try again later), 130 (interrupted, resumable).
    """
    from agent.config.settings import WITHOUT_MEMORY, load_settings
    from agent.console.foreground_run import drive_new
    from agent.console.rich_terminal import clean_printer, console
    from agent.console.run_display import Console
    from agent.conversation.model_roles import check_examiner
    from agent.inputs.issue_input import limit_to_base_date, reproduction_from
    from agent.inputs.patch_input import PatchOptions, check_isolation, find_patch
    from trajectories.plugins import extension_module

    say = clean_printer(console(plain, stderr=True))
    options.check_writable(bundle)
    options.check_writable(sarif)
    bundles = extension_module("agent.inputs.bundles", "`prove --bundle`", "bundles") if bundle else None
    reviews = extension_module("agent.cli.patch_review", "`prove --sarif`", "review") if sarif else None
    given = PatchOptions(patch, branch, staged, pr, check)
    found = find_patch(given, base, (issue, issue_file, text), repo, repo_mismatch_ok, run_settings["test"], say)
    settings = load_settings(
        found.source.file(".swe-agent.toml", found.commit) or b"",
        reproduce=reproduction_from(reproduce, found.source.root),
        strategy="proposed-patch",
        **({"model": model, "budget": budget} if independent else {"model": ""}),
        **WITHOUT_MEMORY,
        merge_review=True,
        independent=independent,
        **run_settings | ({"test": found.command} if found.command else {}),
    )
    if independent:
        check_examiner(settings)
    check_isolation(settings, staged)
    asked = limit_to_base_date(found.issue, found.source, found.commit)
    shown = Console(json=json, plain=plain)

    def on_end(engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        if bundles and bundle and error is None and ended.patch:
            bundles.save_bundle(bundle, engine)
        if reviews and sarif and error is None:
            from agent.patch_checks.sarif import write_sarif

            log = reviews.sarif_of(reviews.review_of(engine, ended), "prove", {"run": ended.run})
            write_sarif(sarif, log)

    return drive_new(asked, found.source, settings, shown, found.commit, found.proposal, on_end)
