"""Options that several subcommands take, and mean the same by."""

from __future__ import annotations

from typing import Annotated

import typer

from trajectories.errors import UsageError

Base = Annotated[str | None, typer.Option(help="Start exactly here, not from the working tree.", metavar="REV")]
Kind = Annotated[str | None, typer.Option("--workspace", help="docker, or local (no boundary).", metavar="W")]
Image = Annotated[str | None, typer.Option(help="Docker image with the repository's tools.", metavar="I")]
Budget = Annotated[float | None, typer.Option(help="Most dollars to spend.", metavar="USD")]
MaxSteps = Annotated[int | None, typer.Option(help="Most model replies.", metavar="N")]
Attempts = Annotated[int | None, typer.Option(help="Attempts of a strategy that makes several.", metavar="N")]
Test = Annotated[str | None, typer.Option(help="Command that runs the tests.", metavar="CMD")]
Effort = Annotated[
    str | None, typer.Option(help="How much the model thinks: none, minimal, low, medium, high.", metavar="E")
]
MaxTokens = Annotated[int | None, typer.Option(help="Most tokens, in and out.", metavar="N")]
MaxTime = Annotated[float | None, typer.Option(help="Most seconds of live time.", metavar="S")]
Apply = Annotated[bool, typer.Option("--apply", help="Apply the patch, verified or not.")]
Branch = Annotated[str | None, typer.Option(help="Put the patch on a new branch.", metavar="B")]
Pr = Annotated[bool, typer.Option("--pr", help="Open a draft pull request with a verified patch.")]
IssueRepo = Annotated[
    str | None,
    typer.Option(
        help="Repository: a folder, or a URL to clone; without it the present folder's, or for --issue a clone.",
        metavar="DIR|URL",
    ),
]
MismatchOk = Annotated[
    bool, typer.Option("--repo-mismatch-ok", help="Use --repo although the issue belongs to another repository.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Plain = Annotated[bool, typer.Option("--plain", help="No colours, no live line.")]


def check_delivery(apply: bool, branch: str | None, pr: bool = False, issue: str = "") -> None:
    """Raises UsageError where a patch is to go to two places, or a pull request to no repository on GitHub."""
    given = [name for name, value in (("--apply", apply), ("--branch", branch), ("--pr", pr)) if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were {'both' if len(given) == 2 else 'all'} given.", "Choose one.")
    if pr and not issue:
        raise UsageError("--pr takes an issue on GitHub: the pull request goes to its repository.", "Give --issue URL.")
