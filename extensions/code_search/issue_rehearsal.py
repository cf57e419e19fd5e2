"""Execution of the example code in an issue, in its own temporary workspace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.repository.user_repository import Repository
    from trajectories.records import Issue


def run_issue_code(
    source: Repository,
    rev: str | None,
    issue: Issue,
    workspace: str | None,
    image: str | None,
    say: Callable[[str], None],
) -> SnippetTrace | None:
    """Run the issue's example and return the calls that it makes; if no example can be run, pass a message to `say` and
    return None.

    `workspace` and `image` override the settings. Raises ConfigError, WorkspaceError or UsageError; UsageError also if
    a rule denies the run, or if it would not be isolated and `workspace` does not request that.
    """
    from aci.issue_text.issue_discussion import append_discussion
    from aci.issue_text.issue_snippets import find_snippets, trace_snippets
    from agent.cli.code_permission import check_may_run
    from agent.config.settings import load_settings
    from agent.engine.base_workspace import open_base, open_in_environment

    text = append_discussion(issue).text
    examples = find_snippets(text)
    if not examples:
        say("The issue shows no Python code that can be run.")
        return None
    own = source.file(".swe-agent.toml", rev) or b""
    settings = load_settings(own, workspace=workspace, image=image)
    check_may_run(examples, settings, workspace)
    with (
        open_base(source, rev, settings, say) as (options, environment),
        closing(open_in_environment(settings.workspace, options, environment)) as opened,
    ):
        found = trace_snippets(opened, text)
    if found is None:
        say("The issue's example could not be run.")
    return found
