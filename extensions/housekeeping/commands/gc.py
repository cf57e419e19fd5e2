"""Remove old runs, and unused data of the others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options
from agent.config.settings import load_settings
from trajectories.errors import TryLater, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.config.settings import Settings
    from extensions.housekeeping.garbage_collection import GcResult


def command(
    run: Annotated[
        list[str] | None, typer.Argument(help="Runs to remove, even if they can be resumed.", metavar="[RUN]…")
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            help="Remove ended runs that have not changed for this long (30d, 12w), or since this date (2026-01-31).",
            metavar="T",
        ),
    ] = "",
    keep: Annotated[int | None, typer.Option(help="Remove ended runs except the newest N.", min=0, metavar="N")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Remove old runs, and unused data of the remaining runs.

    Without RUN, --older-than or --keep, no run is removed. With both --older-than and --keep, only runs that meet both
    conditions are removed. A resumable or damaged run is removed only if you name it. A run in use is never removed.

    In the remaining runs that you created, `gc` removes incomplete files that a crash left, and outputs that no record
    refers to. It packs the trees of ended runs. It also removes an empty folder that was created more than a day ago
    for a run that never started. Other files in the runs folder are kept.

    Exit codes: 0 (done), 2 (usage), 75 (a named run is in use).
    """
    from agent.cli.shared_options import parse_time
    from agent.console.rich_terminal import waiting
    from extensions.housekeeping.garbage_collection import BUSY, RemovalPlan, collect

    settings = load_settings()
    named = [_run_folder(settings, name) for name in run or []]
    before = parse_time(older_than, time.time()) if older_than else None
    with waiting("Reading the runs", plain or json):
        found = collect(settings.runs, RemovalPlan(named, before, keep), dry_run)
    if json:
        from json import dumps

        typer.echo(dumps(found.as_json()))
    else:
        _show(found)
    names = {folder.name for folder in named}
    return TryLater.code if any(result.run in names and result.why == BUSY for result in found.left) else 0


def _run_folder(settings: Settings, name: str) -> Path:
    """Return the folder of a run. Raises UsageError for a run outside the runs folder, such as one in a batch, or a
    copy."""
    folder = settings.run_directory(name)
    if folder.resolve().parent != settings.runs.resolve():
        raise UsageError(f"{folder} is not among your runs in {settings.runs}.", "Remove the folder yourself.")
    return settings.runs / folder.name


def _show(found: GcResult) -> None:
    from rich.filesize import decimal

    from aci.observation.untrusted_text import clean_text

    would = "would be " if found.dry_run else ""
    for what, results in ((f"{would}removed", found.removed), (f"{would}tidied", found.tidied), ("left", found.left)):
        for result in results:
            size = f"{decimal(result.bytes)} " if result.bytes else ""
            typer.echo(
                clean_text(
                    f"{what} {result.run}: {size}{result.why}" + (f" ({result.issue[:60]})" if result.issue else "")
                )
            )
    runs = f"{len(found.removed)} run{'s' * (len(found.removed) != 1)}"
    freed = f"{decimal(found.bytes)} {'would be ' if found.dry_run else ''}freed"
    typer.echo(f"{runs} {would}removed, {found.kept} kept; {freed}.")
