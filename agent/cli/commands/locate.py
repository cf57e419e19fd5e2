"""Where an issue is likely to be solved, without a model; or what else a patch is likely to concern."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.options import IssueRepo, Json, MismatchOk, Plain

if TYPE_CHECKING:
    from aci.issue_run import Traced
    from aci.locating import Located
    from aci.repository import Repository
    from agent.terminal import Rich
    from trajectories.records import Issue

NOTHING = "Nothing in the repository answers to it."
NOTHING_ELSE = "Nothing else is likely to need a change."


def command(
    issue: Annotated[str, typer.Option(help="URL of a GitHub issue.", metavar="URL")] = "",
    issue_file: Annotated[Path | None, typer.Option(help="File with the issue's text.", metavar="F")] = None,
    text: Annotated[str | None, typer.Option(help="The issue itself.", metavar="T")] = None,
    patch: Annotated[
        Path | None, typer.Option(help="A diff instead of an issue: what else is likely to need a change?", metavar="F")
    ] = None,
    repo: IssueRepo = None,
    repo_mismatch_ok: MismatchOk = False,
    base: Annotated[str | None, typer.Option(help="Look exactly here, not in the working tree.", metavar="REV")] = None,
    top: Annotated[int, typer.Option(help="How many files, and functions.", min=1, max=1000, metavar="N")] = 10,
    run: Annotated[bool, typer.Option("--run", help="Run the issue's example, and count what it calls.")] = False,
    workspace: Annotated[str | None, typer.Option(help="Where --run runs: docker, or local.", metavar="W")] = None,
    image: Annotated[str | None, typer.Option(help="Docker image for --run.", metavar="I")] = None,
    json: Json = False,
    plain: Plain = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Name each file that was left out.")] = False,
) -> int:
    """Where an issue is likely to be solved, without a model: files and functions, with the reasons.

    With --patch: what else is likely to need a change. Exit codes: 0 done, 2 usage, 5 workspace, 75 try again later.
    """
    from agent.intake import before, issue_from, patch_from, repository_for
    from agent.rehearsal import rehearsed
    from agent.terminal import cleanly, confirm, console, waiting

    diff = patch_from(patch, issue or None, issue_file, text)
    say = cleanly(console(plain, stderr=True))
    asked = None if patch else issue_from(issue, issue_file, text, say)
    source = repository_for(asked, repo, lambda why: repo_mismatch_ok or confirm(why), say)
    asked = before(asked, source, base) if asked else None
    title = asked.title if asked else f"What {patch} is likely to concern"
    with waiting("Reading the repository", plain or json) as progress:
        if asked:
            traced = rehearsed(source, base, asked, workspace, image, cleanly(progress)) if run else None
            found = _for_issue(source, asked, base, top, progress, traced)
        else:
            found = _for_patch(source, diff, base, top, progress)
    if json:
        from json import dumps

        from agent.places import as_json

        typer.echo(dumps(as_json(found, verbose)))
    else:
        from agent.places import show

        show(found, title, f"{source.name} at {source.told(base)}", NOTHING if asked else NOTHING_ELSE, plain, verbose)
    return 0


def _for_issue(
    source: Repository, issue: Issue, base: str | None, top: int, progress: Rich, traced: Traced | None
) -> Located:
    from aci.locating import Before, located

    with source.blobs(base) as blobs:
        return located(blobs, issue, Before(source.git_dir, source.commit(base)), top, progress.print, traced)


def _for_patch(source: Repository, diff: str, base: str | None, top: int, progress: Rich) -> Located:
    from aci.locating import Before, likely_next

    with source.patched(diff, base) as (without, patched):
        return likely_next(without, patched, Before(source.git_dir, source.commit(base)), top, progress.print)
