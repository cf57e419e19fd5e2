"""Print the completion script of a shell."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Shell = Literal["bash", "zsh", "fish"]


def command(shell: Annotated[Shell, typer.Argument(help="Your shell.", metavar="bash|zsh|fish")]) -> int:
    """Print the completion script of a shell, for subcommands, options, runs, strategies and settings.

    For bash, add this line to ~/.bashrc: eval "$(swe-agent completion bash)"

    For zsh, add this line to ~/.zshrc after compinit: eval "$(swe-agent completion zsh)"

    For fish, run: swe-agent completion fish > ~/.config/fish/completions/swe-agent.fish
    """
    from typer._completion_shared import get_completion_script

    from agent.cli.default_command import COMPLETE, PROGRAM

    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE, shell=shell))
    return 0
