"""Solve an issue, and prove the patch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aci.issue_text.vulnerability import is_vulnerability, marked, names_vulnerability
from aci.observation.untrusted_text import one_line
from agent.cli import shared_options as options
from agent.cli.failed_ci import failed_ci
from agent.config.settings import load_settings
from agent.console.foreground_run import drive_new
from agent.console.rich_terminal import clean_printer, plain_waiting
from agent.console.rich_terminal import console as progress
from agent.console.run_display import Console
from agent.conversation.model_roles import check_examiner, with_locator
from agent.inputs.issue_input import issue_from, limit_to_base_date, repository_for, reproduction_from
from agent.run_state.strategy_traits import FAILING_TESTS
from agent.run_state.terminal_question import confirm
from trajectories.errors import UsageError

VULNERABLE = (
    "This is about a vulnerability: the patch is delivered without its tests, under a neutral title. "
    "--no-vulnerability or exploit_test = true change that."
)
NAMED = "The text names a vulnerability, and nothing of its exploit is withheld. Give --vulnerability to withhold it."


@options.with_run_options
def command(
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    advisory: Annotated[
        Path | None, typer.Option(help="File with a security advisory as JSON (OSV or GitHub).", metavar="FILE")
    ] = None,
    vulnerability: Annotated[
        bool | None,
        typer.Option(
            "--vulnerability/--no-vulnerability",
            help="Whether the issue is a vulnerability, whose exploit is withheld; by default, its labels decide.",
        ),
    ] = None,
    ci: Annotated[
        str, typer.Option(help="URL of failed CI on GitHub: a run, a job or a pull request.", metavar="URL")
    ] = "",
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: options.Base = None,
    reproduce: Annotated[str | None, typer.Option(help="A test that shows the issue.", metavar="FILE|NODE")] = None,
    model: options.Model = None,
    locator: Annotated[
        str | None, typer.Option(help="Model that ranks the likely places, once, before the fix.", metavar="M")
    ] = None,
    strategy: options.Strategy = None,
    attempts: options.Attempts = None,
    prompts: options.Prompts = None,
    budget: options.Budget = None,
    *,
    run_settings: dict[str, Any],
    apply: options.Apply = False,
    branch: options.Branch = None,
    pr: options.Pr = False,
    update_tests: Annotated[
        bool, typer.Option("--update-tests", help="Keep changes to existing tests in the patch.")
    ] = False,
    independent: options.FixIndependent = None,
    merge_review: Annotated[
        bool, typer.Option("--merge-review", help="Also list changes that the fix does not need.")
    ] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Solve an issue: return a patch with a verdict, or report that there is none.

    Without an issue, make the failing tests of the repository pass.

    With --ci, fix the failures of CI at the commit that CI tested. If one of your earlier swe-agent runs put its patch
    on the tested branch, `fix` continues a copy of that run.

    Exit codes: 0 (verified), 6 (plausible, disputed or unproven), 4 (budget used up), 1 (no fix), 2 (usage),
    3 (configuration), 5 (workspace), 75 (try again later), 130 (interrupted, resumable).
    """
    options.check_delivery(apply, branch, pr, issue)
    wanted = load_settings(apply=apply or None, branch=branch, pr=pr or None)
    pr = wanted.pr and bool(issue)
    if pr:
        options.check_delivery(wanted.apply, wanted.branch, pr, issue)
    say = clean_printer(progress(plain, stderr=True))
    is_given = issue or issue_file is not None or text is not None or advisory is not None
    if ci and is_given:
        raise UsageError("--ci and an issue were both given.", "Choose one.")
    if ci:
        fixes = failed_ci()
        checks = fixes.checks_from(ci, plain_waiting)
        asked, source = fixes.issue_of_checks(checks), fixes.repository_of_checks(checks, repo, plain_waiting)
        asked = marked(asked, vulnerability)
        changed_flags = (base, strategy, reproduce, attempts, merge_review, wanted.branch, locator)
        is_new = any(changed_flags) or vulnerability is not None or independent is not None
        if not is_new and (own := fixes.find_run_of_branch(source, checks, wanted)):
            say(f"The run {own.name} made the branch {one_line(checks.branch)}, so a copy of it is continued.")
            folder = prompts.absolute() if prompts else None
            flags = {"model": model, "prompts": folder, "budget": budget, "apply": wanted.apply, **run_settings}
            code: int = fixes.continue_run(own, checks, source, flags, Console(json=json, plain=plain))
            return code
        base = base or checks.commit
    else:
        asked = issue_from(issue, issue_file, text, say, plain_waiting, advisory, repo) if is_given else FAILING_TESTS
        asked = marked(asked, vulnerability)
        needs = "--apply" if wanted.apply else "--branch" if wanted.branch else ""
        source = repository_for(asked, repo, lambda why: repo_mismatch_ok or confirm(why), say, needs, plain_waiting)
        asked = limit_to_base_date(asked, source, base)
    if is_vulnerability(asked):
        say(VULNERABLE)
    elif names_vulnerability(asked):
        say(NAMED)
    if pr:
        from agent.lifecycle.publication import pull_requests

        base = pull_requests(asked.url).check_destination(source, asked.url, base)
    settings = load_settings(
        source.file(".swe-agent.toml", base) or b"",
        reproduce=reproduction_from(reproduce, source.root),
        model=model,
        strategy=strategy,
        attempts=attempts,
        prompts=prompts.absolute() if prompts else None,
        budget=budget,
        **run_settings,
        apply=apply or None,
        branch=branch,
        pr=pr,
        update_tests=update_tests or None,
        merge_review=merge_review or None,
        independent=independent,
    )
    if independent:
        check_examiner(settings)
    if locator:
        settings = with_locator(settings, locator)
    if issue:
        from agent.inputs.past_items import add_past_items

        asked = add_past_items(asked, source, base, settings, say, plain_waiting)
    return drive_new(asked, source, settings, Console(json=json, plain=plain), base)
