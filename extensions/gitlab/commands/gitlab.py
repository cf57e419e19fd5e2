"""Report on a GitLab issue how a run ended."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from agent.cli import shared_options as options
from trajectories.errors import UsageError


def command(
    verb: Annotated[Literal["comment"], typer.Argument(help="What to do.", metavar="comment")],
    run: options.RunName,
) -> int:
    """Report on a GitLab issue how a run ended.

    `gitlab comment RUN` writes one comment: its merge request, or why there is none. A later run on the issue updates
    the comment.
    """
    from agent.config.settings import load_settings
    from agent.console.rich_terminal import clean_printer, console
    from agent.lifecycle.run_lifecycle import reopen
    from agent.run_state.run_ownership import run_owner
    from extensions.gitlab.status_comment import show_status

    settings = load_settings()
    directory = settings.run_directory(run)
    if run_owner(directory, settings.state) != "user":
        raise UsageError(f"{directory} was not created by you on this computer.", "Name a run of your own.")
    engine = reopen(directory, settings.state)
    try:
        clean_printer(console())(show_status(engine))
    finally:
        engine.close()
    return 0
