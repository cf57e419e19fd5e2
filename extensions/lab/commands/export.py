"""Export runs as trajectories, predictions or training data."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.console.process_end import has_reader
from extensions.lab.run_export import formats

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from trajectories.trajectory import RunView


def _help() -> str:
    return "; ".join(f"{name}: {what}" for name, what in formats().items())


def command(
    runs: Annotated[
        list[str], typer.Argument(help="Names of runs as `runs` shows them, or trajectory files.", metavar="RUN")
    ],
    format: Annotated[str, typer.Option(help=f"{_help()}.", metavar="F")],
    out: Annotated[
        Path | None,
        typer.Option(help="Output file; for a training set, a data card is written beside it.", metavar="FILE"),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Exclude runs from a training set: runs on SWE-bench's repositories, or on the instances in a file.",
            metavar="swe-bench|FILE",
        ),
    ] = None,
    last_turn: Annotated[
        bool, typer.Option("--last-turn", help="With sft: train only on the last reply of each row.")
    ] = False,
) -> int:
    """Export runs in another program's format, to stdout or a file.

    Exit codes: 0 (done), 2 (usage: no such run or format, or nothing to export), 5 (a run is damaged).
    """
    from contextlib import ExitStack

    from agent.config.settings import load_settings
    from agent.engine.engine import secrets_of_services
    from agent.runs.run_lookup import open_run, warn_of_exploit
    from extensions.lab.run_export import TRAINING, export_runs
    from trajectories.errors import UsageError

    if exclude and format not in TRAINING:
        raise UsageError(f"--exclude has no effect on {format}.", f"Use it with {', '.join(sorted(TRAINING))}.")
    settings = load_settings()
    with ExitStack() as stack:
        found = [open_run(name, settings) for name in runs]
        for run in found:
            stack.callback(run.close)
            warn_of_exploit(run, lambda text: typer.echo(text, err=True))
            if run.is_ours and run.trajectory.exit is None:
                typer.echo(f"{run.name} has not ended; its current state is exported.", err=True)
        if format in TRAINING:
            _export_training_set(found, format, settings, out, exclude or [], last_turn)
        elif last_turn:
            raise UsageError(f"--last-turn has no effect on {format}.", "Use it with sft.")
        else:
            _write(export_runs(found, format, secrets_of_services(settings)), out)
    return 0


def _export_training_set(
    runs: list[RunView], format: str, settings: Settings, out: Path | None, exclude: list[str], last_turn: bool
) -> None:
    """Write the set and its data card, and report what is excluded."""
    from agent.engine.engine import secrets_of_services
    from extensions.lab.run_export import filters, select_for_training, training_rows, write_export
    from extensions.lab.training.training_sets import WrittenRows, data_card, left_out_text, read_exclusions

    exclusions = read_exclusions(exclude)
    with_sessions = settings.session_pairs and format == "dpo"
    selection = select_for_training(runs, secrets_of_services(settings), exclusions, with_sessions)
    try:
        written = WrittenRows(training_rows(format, selection, last_turn))
        _write(written, out)
    finally:
        if text := left_out_text(selection):
            typer.echo(text, err=True)
    if out is not None and out.is_file():
        card = data_card(format, filters(format), out, written, selection, exclusions)
        typer.echo(write_export([card], out.with_name(f"{out.name}.card.md")), err=True)


def _write(pieces: Iterable[str], out: Path | None) -> None:
    from extensions.lab.run_export import write_export

    if out is None:
        _print(pieces)
    else:
        typer.echo(write_export(pieces, out), err=True)


def _print(pieces: Iterable[str]) -> None:
    """Write to stdout in UTF-8 until the reader closes it."""
    out = typer.get_binary_stream("stdout")
    for piece in pieces:
        out.write(piece.encode("utf-8", "replace"))
        if not has_reader(sys.stdout):
            return
    out.flush()
