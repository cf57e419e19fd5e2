"""Write a failing test from an issue's example, without a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from collections.abc import Callable

    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from extensions.reproduction.reproducer import Reproduction
    from trajectories.records import Issue


def command(
    issue: options.IssueUrl = "",
    issue_file: options.IssueFile = None,
    text: options.IssueText = None,
    repo: options.IssueRepo = None,
    repo_mismatch_ok: options.MismatchOk = False,
    base: options.Base = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    test: options.Test = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the test into the working tree.")] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Write a failing test from the example that an issue shows; no model is used.

    The example runs in a workspace. If a statement fails as the issue reports, and the issue states the correct result,
    the command writes a test with this statement and the statements that it needs. Otherwise, the command explains why
    there is no test.

    Exit codes: 0 (a failing test), 1 (no test), 2 (usage), 3 (configuration), 5 (workspace), 75 (try again later).
    """
    from agent.config.settings import load_settings
    from agent.config.workspace_choice import choose_workspace
    from agent.console.rich_terminal import clean_printer, console, waiting
    from agent.inputs.issue_input import issue_from, limit_to_base_date, repository_for
    from agent.run_state.terminal_question import confirm

    say = clean_printer(console(plain, stderr=True))
    asked = issue_from(issue, issue_file, text, say, repo=repo)
    source = repository_for(asked, repo, lambda why: repo_mismatch_ok or confirm(why), say)
    asked = limit_to_base_date(asked, source, base)
    own = source.file(".swe-agent.toml", base) or b""
    settings = choose_workspace(load_settings(own, workspace=workspace, image=image, test=test), say)
    with waiting("Running the issue's example", plain or json) as progress:
        found = _reproduce(source, base, asked, settings, workspace, apply, clean_printer(progress))
    if json:
        from json import dumps

        typer.echo(dumps(asdict(found)))
    else:
        _show(found, apply, plain)
    return 0 if found.text else 1


def _reproduce(
    source: Repository,
    base: str | None,
    issue: Issue,
    settings: Settings,
    workspace: str | None,
    apply: bool,
    say: Callable[[str], None],
) -> Reproduction:
    from contextlib import closing

    from aci.repository.file_blobs import TreeBlobs
    from agent.cli.code_permission import check_may_run
    from agent.engine.base_workspace import open_base, open_in_environment
    from extensions.reproduction.reproducer import NO_CODE, Reproducer, Reproduction, example_code

    examples = example_code(issue)
    if not examples:
        return Reproduction(reason=NO_CODE)
    check_may_run(examples, settings, workspace)
    with (
        open_base(source, base, settings, say) as (options, environment),
        closing(open_in_environment(settings.workspace, options, environment)) as opened,
    ):
        trees, tree = options.trees, options.base.tree
        found = Reproducer(opened, TreeBlobs(trees, tree), environment.test).reproduce(issue)
        if apply and found.text:
            source.apply(trees.diff(tree, trees.write({found.path: found.text.encode()}, tree)), options.base)
        return found


def _show(found: Reproduction, applied: bool, plain: bool) -> None:
    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console

    if not found.text:
        console(plain).print(clean_text(f"No test: {found.reason}"))
        return
    where = f"{found.path} was written." if applied else f"{found.path} (write it with --apply):"
    lines = [where, "", found.text, f"Today: {found.error}", found.because]
    console(plain).print(clean_text("\n".join(lines)))
