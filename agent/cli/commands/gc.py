"""Remove old runs, and of the others what no record needs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agent.options import Json, Plain
from agent.settings import load_settings
from trajectories.errors import TryLater, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.collecting import Collected
    from agent.settings import Settings


def command(
    run: Annotated[
        list[str] | None, typer.Argument(help="Remove these, also if they can be resumed.", metavar="[RUN]…")
    ] = None,
    older_than: Annotated[
        str, typer.Option(help="Remove ended runs not touched since: 30d, 12w, or 2026-01-31.", metavar="T")
    ] = "",
    keep: Annotated[
        int | None, typer.Option(help="Remove ended runs that are not among the newest N.", min=0, metavar="N")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Remove old runs, and of the others what no record needs.

    Without a run, --older-than or --keep no run is removed. With both, those go that are older and not among the
    newest. A run that can be resumed, or that is damaged, goes only if it is named, one that another process works
    on never.
    From the others that you created go what a crash left half done and outputs that no record names; the trees of
    ended ones are made one pack, and none of them is lost. Empty folders of runs that were never begun go after a
    day; what else lies among the runs stays.
    Exit codes: 0 done, 2 usage, 75 a run that was named is in use.
    """
    from agent.ages import moment
    from agent.collecting import BUSY, Going, collect
    from agent.terminal import waiting

    settings = load_settings()
    named = [_named(settings, name) for name in run or []]
    before = moment(older_than, time.time()) if older_than else None
    with waiting("Looking at the runs", plain or json):
        found = collect(settings.runs, Going(named, before, keep), dry_run)
    if json:
        from json import dumps

        typer.echo(dumps(found.as_json()))
    else:
        _tell(found)
    names = {folder.name for folder in named}
    return TryLater.code if any(went.run in names and went.why == BUSY for went in found.left) else 0


def _named(settings: Settings, name: str) -> Path:
    """Raises UsageError for a run that lies elsewhere: a batch's, or a copy."""
    folder = settings.run_directory(name)
    if folder.resolve().parent != settings.runs.resolve():
        raise UsageError(f"{folder} is not among your runs in {settings.runs}.", "Remove the folder yourself.")
    return settings.runs / folder.name


def _tell(found: Collected) -> None:
    from rich.filesize import decimal

    from aci.view import clean

    would = "would be " if found.dry_run else ""
    for what, every in ((f"{would}removed", found.removed), (f"{would}tidied", found.tidied), ("left", found.left)):
        for went in every:
            size = f"{decimal(went.bytes)} " if went.bytes else ""
            typer.echo(clean(f"{what} {went.run}: {size}{went.why}" + (f" ({went.issue[:60]})" if went.issue else "")))
    runs = f"{len(found.removed)} run{'s' * (len(found.removed) != 1)}"
    freed = f"{decimal(found.bytes)} {'would be ' if found.dry_run else ''}freed"
    typer.echo(f"{runs} {would}removed, {found.kept} kept; {freed}.")
