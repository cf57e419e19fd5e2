"""Open an interactive session in a repository; `swe-agent` without a subcommand does this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options
from agent.cli.default_command import open_session
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session_start import Start


def command(
    run: Annotated[str | None, typer.Argument(help="With --resume: name of the run, or a unique prefix.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an earlier run, chosen from a list unless RUN is given.")
    ] = False,
    repo: options.Repo = ".",
    subtree: Annotated[str, typer.Option(help="Read, change and test only this folder.", metavar="DIR")] = "",
    base: options.Base = None,
    mode: Annotated[str, typer.Option(help="build (changes files), or plan (read-only).", metavar="M")] = "build",
    model: Annotated[str | None, typer.Option(help="A model's name.", metavar="M")] = None,
    strategy: Annotated[str | None, typer.Option(help="Strategy to use instead of build.", metavar="S")] = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    test: options.Test = None,
    budget: options.Budget = None,
    max_tokens: options.MaxTokens = None,
    screen: Annotated[
        str | None, typer.Option(help="full, inline (keeps the terminal's scrollback), or auto.", metavar="S")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No screen: read requests from stdin, one per line.")] = False,
) -> int:
    """Open an interactive session in a repository; `swe-agent` without a subcommand does this.

    Describe what to do, or ask about the code; `/help` lists the commands. If stdin or stdout is not a terminal, or
    with --plain, requests are read line by line; answers go to stdout and progress to stderr.
    """
    if run is not None and not resume:
        raise UsageError(f"{run!r} is not a subcommand.", f"To resume a run: swe-agent --resume {run}")
    flags = {
        "model": model,
        "strategy": strategy,
        "workspace": workspace,
        "image": image,
        "test": test,
        "budget": budget,
        "max_tokens": max_tokens,
    }

    def prepare(trouble: tuple[str, ...]) -> Start:
        from agent.session.session_start import start

        return start(repo, base, subtree, mode, flags, run if resume else None, resume, trouble)

    return open_session(prepare, screen, plain)
