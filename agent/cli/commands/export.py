"""Write runs in another program's format: a trajectory, predictions, what a model can be trained on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from agent.exporting import formats
from agent.process_end import has_reader


def _help() -> str:
    return "; ".join(f"{name}: {what}" for name, what in formats().items())


def command(
    runs: Annotated[list[str], typer.Argument(help="Names as `runs` shows them, or files.", metavar="RUN")],
    format: Annotated[str, typer.Option(help=f"{_help()}.", metavar="F")],
    out: Annotated[Path | None, typer.Option(help="Write to this file.", metavar="FILE")] = None,
) -> int:
    """Write runs in another program's format, to stdout or a file: docs/exports.md.

    Exit codes: 0 done, 2 usage (no such run or format, nothing to export), 5 a run is damaged.
    """
    from contextlib import ExitStack

    from agent.engine import secrets_of_services
    from agent.exporting import TRAINING, to_file, written
    from agent.material import opened
    from agent.settings import load_settings

    settings = load_settings()
    with ExitStack() as stack:
        found = [opened(name, settings) for name in runs]
        for run in found:
            stack.callback(run.close)
            if run.is_ours and run.trajectory.exit is None:
                typer.echo(f"{run.name} has not ended: exported is what it has come to.", err=True)
            if run.untrusted and format in TRAINING:
                typer.echo(f"{run.name} was not created by you here and is left out: its verdict is a claim.", err=True)
        pieces = written(found, format, secrets_of_services(settings))
        if out is not None:
            typer.echo(to_file(pieces, out), err=True)
        else:
            _print(pieces)
    return 0


def _print(pieces: Iterable[str]) -> None:
    """To stdout, in UTF-8, as long as somebody reads it."""
    out = typer.get_binary_stream("stdout")
    for piece in pieces:
        out.write(piece.encode("utf-8", "replace"))
        if not has_reader(sys.stdout):
            return
    out.flush()
