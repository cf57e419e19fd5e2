"""Execution of the example code in an issue, in its own temporary workspace."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.permissions.approvals import Approval
from agent.permissions.decisions import allow_unless_denied
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.repository.user_repository import Repository
    from trajectories.records import Issue

TITLE = "Run the issue's example on this machine?"


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
    from aci.environments.environment import environment_for
    from aci.environments.host_environment import add_environment
    from aci.issue_text.issue_discussion import append_discussion
    from aci.issue_text.issue_snippets import find_snippets, trace_snippets
    from aci.runtime.workspace import WorkspaceOptions, open_workspace
    from agent.config.environment_options import environment_options
    from agent.config.named_environment import option_source
    from agent.config.settings import load_settings
    from agent.run_state.run_settings import ISOLATION
    from trajectories.git_store.trees import Trees

    text = append_discussion(issue).text
    examples = find_snippets(text)
    if not examples:
        say("The issue shows no Python code that can be run.")
        return None
    own = source.file(".swe-agent.toml", rev) or b""
    settings = load_settings(own, workspace=workspace, image=image)
    if settings.workspace == "local" and workspace != "local":
        raise UsageError("The issue's example would run without isolation.", ISOLATION)
    if settings.workspace == "local":
        answer = allow_unless_denied(Approval("command", TITLE, "\n".join(examples)), settings.permissions)
        if not answer.yes:
            raise UsageError(f"The issue's example was not run. {answer.reason}", "Use --workspace docker.")
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder, Trees(Path(folder) / "trees.git") as trees:
        base = source.base(trees, rev)
        options = WorkspaceOptions(source, base, trees, settings.image, say=say, **settings.limits)
        environment = environment_options(settings, option_source(settings, own))
        if settings.workspace == "docker":
            options = replace(options, image=environment_for(options, environment))
        else:
            options = add_environment(options, environment, settings.workspace)
        with closing(open_workspace(settings.workspace, options)) as opened:
            found = trace_snippets(opened, text)
    if found is None:
        say("The issue's example could not be run.")
    return found
