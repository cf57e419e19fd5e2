"""Export runs as trajectories, predictions or training data."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from agent.console.process_end import has_reader
from agent.runs.run_export import formats


def _help() -> str:
    return "; ".join(f"{name}: {what}" for name, what in formats().items())


def command(
    runs: Annotated[list[str], typer.Argument(help="Names as `runs` shows them, or files.", metavar="RUN")],
    format: Annotated[str, typer.Option(help=f"{_help()}.", metavar="F")],
    out: Annotated[Path | None, typer.Option(help="Write to this file.", metavar="FILE")] = None,
) -> int:
    """Export runs in another program's format, to stdout or a file; see docs/exports.md.

    Exit codes: 0 done, 2 usage (no such run or format, nothing to export), 5 a run is damaged.
    """
    from contextlib import ExitStack

    from agent.config.settings import load_settings
    from agent.engine.engine import secrets_of_services
    from agent.runs.run_export import TRAINING, export_runs, write_export
    from agent.runs.run_lookup import open_run

    settings = load_settings()
    with ExitStack() as stack:
        found = [open_run(name, settings) for name in runs]
        for run in found:
            stack.callback(run.close)
            if run.is_ours and run.trajectory.exit is None:
                typer.echo(f"{run.name} has not ended; its current state is exported.", err=True)
            if run.untrusted and format in TRAINING:
                what = f"{run.name} was not created by you on this computer and is skipped"
                typer.echo(f"{what}: its verdict cannot be trusted.", err=True)
        pieces = export_runs(found, format, secrets_of_services(settings))
        if out is not None:
            typer.echo(write_export(pieces, out), err=True)
        else:
            _print(pieces)
    return 0


def _print(pieces: Iterable[str]) -> None:
    """Write to stdout in UTF-8 until the reader closes it."""
    out = typer.get_binary_stream("stdout")
    for piece in pieces:
        out.write(piece.encode("utf-8", "replace"))
        if not has_reader(sys.stdout):
            return
    out.flush()
