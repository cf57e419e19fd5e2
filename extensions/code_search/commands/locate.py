"""Find the likely places to fix an issue, without a model unless one is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options
from extensions.code_search.locator_request import LISTED_FUNCTIONS
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.localization.issue_localization import LocalizationResult
    from aci.repository.user_repository import Repository
    from agent.console.rich_terminal import Rich
    from extensions.code_search.model_localization import ModelAnswer
    from trajectories.records import Issue

NOTHING = "No place in the repository matches."
NOTHING_ELSE = "Nothing else is likely to need a change."


def command(
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    patch: Annotated[
        Path | None, typer.Option(help="Diff, in place of an issue: find what else may need a change.", metavar="F")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Error log of tests, a compiler or CI, in place of an issue; `-` means stdin.", metavar="F"),
    ] = None,
    good: Annotated[
        str | None,
        typer.Option(help="With --log: a commit without the error; later commits are ranked.", metavar="REV"),
    ] = None,
    reproduce: Annotated[
        str | None,
        typer.Option(help="With --good: a failing test; finds the commit that broke the test.", metavar="FILE|NODE"),
    ] = None,
    test: options.Test = None,
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: options.SearchBase = None,
    top: Annotated[int, typer.Option(help="Number of files and functions to list.", min=1, max=1000, metavar="N")] = 10,
    run: Annotated[
        bool, typer.Option("--run", help="Run the issue's example, and use its calls for the ranking.")
    ] = False,
    workspace: Annotated[
        str | None,
        typer.Option(help="Where --run and --reproduce execute code: docker, sandbox or local.", metavar="W"),
    ] = None,
    image: Annotated[str | None, typer.Option(help="Docker image for --run and --reproduce.", metavar="I")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model that reads the first places once, and ranks them; default: none.", metavar="M"),
    ] = None,
    budget: options.Budget = None,
    max_tokens: options.MaxTokens = None,
    json: options.Json = False,
    plain: options.Plain = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="List each file that was skipped.")] = False,
) -> int:
    """Find the files, functions and classes where an issue is likely to be fixed, with reasons.

    Without --model, no model is used. With --patch, find other places that are likely to need a change. With --log,
    find the places that an error log names.

    Exit codes: 0 (done), 1 (--reproduce found no single commit, or the model failed), 2 (usage), 3 (configuration),
    4 (budget), 5 (workspace), 75 (try again later), 130 (interrupted).
    """
    if model and (patch or log):
        name = "--patch" if patch else "--log"
        raise UsageError(f"--model and {name} were both given.", "A model ranks the places of an issue only.")
    if not model and (budget is not None or max_tokens is not None):
        name = "--max-tokens" if budget is None else "--budget"
        raise UsageError(f"{name} was given without --model.", "Only the requests to a model have limits.")
    if log or good or reproduce or test:
        from extensions.code_search.log_search import LogOptions, locate_log

        given = LogOptions(log, good, reproduce, test, base, workspace, image, top)
        given.check(patch or issue or issue_file or text or run)
        return locate_log(given, repo, json, plain, verbose)
    from agent.console.rich_terminal import clean_printer, console, plain_waiting, waiting
    from agent.inputs.issue_input import issue_from, limit_to_base_date, patch_from, repository_for
    from agent.run_state.terminal_question import confirm

    diff = patch_from(patch, issue or None, issue_file, text)
    say = clean_printer(console(plain, stderr=True))
    asked = None if patch else issue_from(issue, issue_file, text, say, plain_waiting, repo=repo)
    source = repository_for(asked, repo, lambda why: repo_mismatch_ok or confirm(why), say, waiting=plain_waiting)
    asked = limit_to_base_date(asked, source, base) if asked else None
    settings = None
    if model:
        from extensions.code_search.model_localization import locator_settings

        settings = locator_settings(source, base, model, budget, max_tokens)
    title = asked.title if asked else f"Places related to {patch}"
    with waiting("Reading the repository", plain or json) as progress:
        if asked:
            traced = None
            if run:
                from extensions.code_search.issue_rehearsal import run_issue_code

                traced = run_issue_code(source, base, asked, workspace, image, clean_printer(progress))
            found = _for_issue(source, asked, base, max(top, LISTED_FUNCTIONS) if model else top, progress, traced)
        else:
            found = _for_patch(source, diff, base, top, progress)
    answer: ModelAnswer | None = None
    if settings and asked:
        from extensions.code_search.model_localization import ask_locator

        with waiting("Asking the model", plain or json) as progress:
            answer = ask_locator(found, asked, source, settings, base, top, clean_printer(progress))
        found = answer.found
    if json:
        from json import dumps

        typer.echo(dumps(found.as_json(verbose) | ({"model": answer.document} if answer else {})))
    else:
        from extensions.code_search.localization_output import print_places

        print_places(
            found,
            title,
            f"{source.name} at {source.describe_source(base)}",
            NOTHING if asked else NOTHING_ELSE,
            plain,
            verbose,
        )
        if answer:
            console(plain).print(answer.summary, style="dim", markup=False, soft_wrap=True)
    if answer and answer.error:
        say(answer.error)
    return answer.code if answer else 0


def _for_issue(
    source: Repository, issue: Issue, base: str | None, top: int, progress: Rich, traced: SnippetTrace | None
) -> LocalizationResult:
    from aci.localization.issue_localization import HistoryBase, localize_issue

    with source.blobs(base) as blobs:
        return localize_issue(
            blobs, issue, HistoryBase(source.git_dir, source.commit(base)), top, progress.print, traced
        )


def _for_patch(source: Repository, diff: str, base: str | None, top: int, progress: Rich) -> LocalizationResult:
    from aci.localization.issue_localization import HistoryBase
    from aci.repository.proposed_patch import patched_files
    from extensions.code_search.related_places import find_related_places

    with patched_files(source, diff, base) as (without, patched):
        return find_related_places(
            without, patched, HistoryBase(source.git_dir, source.commit(base)), top, progress.print
        )
