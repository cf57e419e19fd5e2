"""Prove a patch that you or another program made: red, green, red again, no loss."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import shared_options as options


@options.with_run_options
def command(
    patch: Annotated[Path | None, typer.Option(help="File with the diff.", metavar="F")] = None,
    branch: Annotated[str | None, typer.Option(help="Branch or commit with the changes.", metavar="REV")] = None,
    staged: Annotated[bool, typer.Option("--staged", help="The staged changes.")] = False,
    pr: Annotated[str, typer.Option(help="URL of a pull request on GitHub.", metavar="URL")] = "",
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: Annotated[
        str | None, typer.Option(help="Commit that the patch applies to; its tests are used.", metavar="REV")
    ] = None,
    reproduce: Annotated[str | None, typer.Option(help="A test that shows the issue.", metavar="FILE|NODE")] = None,
    *,
    run_settings: dict[str, Any],
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Prove a patch that you or another program made; no model is used.

    Tests, test configuration and settings are those of the base. Exit codes: 0 verified, 6 not verified,
    1 the patch changes nothing, 2 usage, 3 configuration, 5 workspace, 75 try again later,
    130 interrupted (resumable).
    """
    from agent.config.settings import load_settings
    from agent.console.foreground_run import drive_new
    from agent.console.rich_terminal import clean_printer, console
    from agent.console.run_display import Console
    from agent.instances.issue_input import issue_from, limit_to_base_date, repository_for, reproduction_from
    from agent.instances.patch_input import (
        check_isolation,
        clone_of,
        proposal_from,
        proposal_from_commits,
        pull_request_from,
    )
    from agent.run_state.terminal_question import confirm
    from trajectories.records import Issue

    say = clean_printer(console(plain, stderr=True))
    changes = pull_request_from(pr, patch, branch, staged, repo)
    has_issue = issue or issue_file is not None or text is not None
    if changes and not has_issue:
        issue = changes.issue
        has_issue = bool(issue)
    asked = issue_from(issue, issue_file, text, say) if has_issue else Issue("")
    if changes:
        source = clone_of(changes)
        commit, proposed = proposal_from_commits(source, base or changes.target, changes.head, f"pull request {pr}")
    else:
        source = repository_for(asked, repo, lambda why: repo_mismatch_ok or confirm(why), say)
        commit, proposed = proposal_from(source, base, patch, branch, staged)
    asked = limit_to_base_date(asked, source, commit)
    settings = load_settings(
        source.file(".swe-agent.toml", commit) or b"",
        reproduce=reproduction_from(reproduce, source.root),
        strategy="proposed-patch",
        **run_settings,
    )
    check_isolation(settings, staged)
    return drive_new(asked, source, settings, Console(json=json, plain=plain), commit, proposed)
