"""Open an interactive session; `swe-agent` alone does this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options
from agent.cli.value_completion import complete_run
from extensions.interactive.default_session import open_session
from extensions.interactive.session.commands import check_single
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session_start import Start


def _complete_word(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    return complete_run(incomplete) if ctx.params.get("resume") and not ctx.params.get("words") else []


@options.with_events
def command(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="The first request, in quotes or after `--`. With --resume, the first word names the run.",
            metavar="REQUEST",
            autocompletion=_complete_word,
        ),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option("--print", "-p", help="Print the answer to this request, and exit.", metavar="REQUEST"),
    ] = None,
    newest: Annotated[bool, typer.Option("--continue", "-c", help="Resume the last run of the repository.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an earlier run. If you name no run, choose one from a list.")
    ] = False,
    repo: options.Repo = ".",
    subtree: Annotated[str, typer.Option(help="Read, change and test only this folder.", metavar="DIR")] = "",
    base: options.Base = None,
    mode: Annotated[str, typer.Option(help="Mode: build (changes files) or plan (only reads).", metavar="M")] = "build",
    model: Annotated[str | None, typer.Option(help="Name of the model.", metavar="M")] = None,
    strategy: options.Strategy = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    test: options.Test = None,
    serve: options.Serve = None,
    budget: options.Budget = None,
    max_tokens: options.MaxTokens = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Write each change to your files at once, not on /apply.")
    ] = False,
    screen: Annotated[
        str | None, typer.Option(help="Screen: full, inline (keeps the terminal's scrollback) or auto.", metavar="S")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Use no screen: read one request per line from stdin.")
    ] = False,
) -> int:
    """Open an interactive session in a repository. `swe-agent` without a subcommand also opens a session.

    In a session, describe a change or ask about the code; `/help` lists the commands. With --plain, or if stdin or
    stdout is not a terminal, the session reads one request per line. It prints answers to stdout and progress to
    stderr.

    swe-agent "why is the total wrong?"   start with this request

    swe-agent -p "why is the total wrong?"   print the answer and exit; changes to files are printed as a diff

    With `-p`, the exit codes are those of `fix`.
    """
    if resume and newest:
        raise UsageError("--resume and --continue were both given.", "Choose one.")
    request_words = list(words or [])
    run = request_words.pop(0) if resume and request_words else None
    if resume and run is None and ask is not None:
        raise UsageError("--print cannot show a list of runs.", "Name the run, or give --continue.")
    request = _first_request(request_words, ask, is_clear="--" in ctx.obj or newest or run is not None)
    flags = {
        "model": model,
        "strategy": strategy,
        "workspace": workspace,
        "image": image,
        "test": test,
        "serve": serve,
        "budget": budget,
        "max_tokens": max_tokens,
        "in_place": in_place or None,
    }
    if in_place and base:
        raise UsageError("--in-place and --base were both given.", "Your files are those of HEAD: choose one.")

    def prepare(trouble: tuple[str, ...]) -> Start:
        from extensions.interactive.session.session_start import start

        return start(repo, base, subtree, mode, flags, run, resume, trouble, newest, request)

    return open_session(prepare, screen, plain, reads_stdin=ask is None)


def _first_request(words: list[str], ask: str | None, is_clear: bool) -> str:
    """Return the first request, or "". Raises UsageError for a word that may be a mistyped subcommand or run."""
    if ask is not None:
        if words:
            raise UsageError("--print and another request were given.", "Write the whole request in quotes.")
        if not ask.strip():
            raise UsageError("The request is empty.", "Say what to do.")
        check_single(ask)
        return ask
    request = " ".join(words)
    if words and not is_clear and not any(character.isspace() for word in words for character in word):
        raise UsageError(
            f"It is not clear whether {request!r} is a request.",
            f"If so: swe-agent -- {request}. To resume a run: swe-agent --resume {words[0]}",
        )
    return request
