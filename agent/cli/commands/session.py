"""Open a session in a repository, to work in for as long as you like; this is what `swe-agent` alone does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.bare import open_session
from agent.options import Base, Budget, Image, Kind, MaxTokens, Test
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Start


def command(
    run: Annotated[str | None, typer.Argument(help="With --resume: which; its name, or its beginning.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an earlier run, chosen from a list.")] = False,
    repo: Annotated[str, typer.Option(help="Repository: a folder, or a URL to clone.", metavar="DIR|URL")] = ".",
    subtree: Annotated[str, typer.Option(help="Look at, change and test this folder only.", metavar="DIR")] = "",
    base: Base = None,
    mode: Annotated[str, typer.Option(help="build (changes files), or plan (only reads).", metavar="M")] = "build",
    model: Annotated[str | None, typer.Option(help="A model's name.", metavar="M")] = None,
    strategy: Annotated[str | None, typer.Option(help="How to solve it, instead of build.", metavar="S")] = None,
    workspace: Kind = None,
    image: Image = None,
    test: Test = None,
    budget: Budget = None,
    max_tokens: MaxTokens = None,
    screen: Annotated[
        str | None, typer.Option(help="full, inline (keeps the terminal's scrollback), or auto.", metavar="S")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines only: requests from stdin, one a line.")] = False,
) -> int:
    """Open a session in a repository, to work in for as long as you like; this is what `swe-agent` alone does.

    Say what you want, or ask about the code; `/help` lists the commands. Where stdin or stdout is no terminal, or with
    --plain, requests are read as lines, answers go to stdout and progress to stderr.
    """
    if run is not None and not resume:
        raise UsageError(f"{run!r} is no subcommand.", f"To go on with a run: swe-agent --resume {run}")
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
        from agent.session.start import start

        return start(repo, base, subtree, mode, flags, run if resume else None, resume, trouble)

    return open_session(prepare, screen, plain)
