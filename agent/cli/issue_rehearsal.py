"""Running the code that an issue shows, in a workspace of its own that is gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.approvals import Approval, unless_denied
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.issue_run import Traced
    from aci.repository import Repository
    from trajectories.records import Issue

TITLE = "Run the issue's example on this machine?"


def rehearsed(
    source: Repository,
    rev: str | None,
    issue: Issue,
    workspace: str | None,
    image: str | None,
    say: Callable[[str], None],
) -> Traced | None:
    """What the issue's example calls, or None where it shows none that runs; said in words.

    The settings say where it runs, if not `workspace` and `image`. Raises UsageError, also where the code would run
    without a boundary although `workspace` does not say so, or where a rule denies it; ConfigError; WorkspaceError.
    """
    from aci.discussion import with_discussion
    from aci.environment import environment_for
    from aci.issue_run import snippets, trace
    from aci.workspace import Options, open_workspace
    from agent.named import named
    from agent.run_settings import BOUNDARY
    from agent.settings import load_settings
    from agent.surroundings import wishes
    from trajectories.trees import Trees

    text = with_discussion(issue).text
    examples = snippets(text)
    if not examples:
        say("The issue shows no Python that could be run.")
        return None
    own = source.file(".swe-agent.toml", rev) or b""
    settings = load_settings(own, workspace=workspace, image=image)
    if settings.workspace == "local" and workspace != "local":
        raise UsageError("The issue's example would run without a boundary.", BOUNDARY)
    if settings.workspace == "local":
        answer = unless_denied(Approval("command", TITLE, "\n".join(examples)), settings.permissions)
        if not answer.yes:
            raise UsageError(f"The issue's example was not run. {answer.reason}", "Use --workspace docker.")
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder, Trees(Path(folder) / "trees.git") as trees:
        base = source.base(trees, rev)
        options = Options(source, base, trees, settings.image, say=say, **settings.limits)
        if settings.workspace == "docker":
            options = replace(options, image=environment_for(options, wishes(settings, named(settings, own))))
        with closing(open_workspace(settings.workspace, options)) as opened:
            found = trace(opened, text)
    if found is None:
        say("The issue's example could not be run.")
    return found
