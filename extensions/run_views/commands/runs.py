"""List the runs, newest first; filter, sort and search them."""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import Annotated

import typer

from aci.observation.untrusted_text import one_line
from agent.cli import shared_options as options
from agent.cli.shared_options import parse_time
from agent.config.settings import load_settings
from agent.runs.run_listing import RunFilter, RunSummary, Sort, list_runs
from trajectories.errors import UsageError
from trajectories.outcome_words import ENDINGS, WITHOUT_EXIT

STATES = {**ENDINGS, **WITHOUT_EXIT}
"""The words for each state. `--ended` accepts a state, except the empty one, or its label in the `ended` column."""
NARROW = 16
"""Minimum width of the issue, in columns; if less is left, the origin of a run is shortened to `MARK`."""
MARK = " (from …)"
LONGEST_NAME = 14
"""Maximum width of a repository's name, in columns."""


def command(
    repo: Annotated[
        str, typer.Option(help="Only runs in this repository: a folder, or a part of its path.", metavar="R")
    ] = "",
    ended: Annotated[
        list[str] | None,
        typer.Option(help="Only runs in this state, such as verified, plausible or running; repeatable.", metavar="E"),
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            help="Only runs that started at most this long ago (12h, 3d, 2w), or since this date (2026-01-31).",
            metavar="T",
        ),
    ] = "",
    model: Annotated[str, typer.Option(help="Only runs with a model whose name contains M.", metavar="M")] = "",
    strategy: Annotated[str, typer.Option(help="Only runs with this strategy.", metavar="S")] = "",
    resumable: Annotated[bool, typer.Option("--resumable", help="Only runs that can be resumed.")] = False,
    search: Annotated[
        str,
        typer.Option(help="Only runs whose issue, requests or changed paths contain all these words.", metavar="WORDS"),
    ] = "",
    sort: Annotated[
        Sort,
        typer.Option(help="Sort by at (newest first), dollars or steps (largest first), issue or repository (A to Z)."),
    ] = "at",
    limit: Annotated[int | None, typer.Option(help="Show at most N runs.", min=1, metavar="N")] = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """List the runs, newest first, with result, cost, steps, repository and issue."""
    wanted = RunFilter(
        ended=_states(ended or []),
        since=parse_time(since, time.time()) if since else 0.0,
        model=model,
        strategy=strategy,
        repository=repo,
        resumable=resumable,
        words=tuple(search.split()),
    )
    found = list_runs(load_settings().runs, wanted, sort)[:limit]
    if json:
        from json import dumps

        typer.echo(dumps({"runs": [line.as_json() for line in found]}))
        return 0
    if not found:
        narrowed = wanted != RunFilter()
        typer.echo("No run matches." if narrowed else "There are no runs yet; `swe-agent fix` starts one.")
        return 0
    from agent.console.pager import page_output

    with page_output(plain) as out:
        for row in _table(found, out.width if out.is_terminal else None):
            out.line(row)
    return 0


def _states(asked: list[str]) -> tuple[str, ...]:
    """Return the states that `--ended` names; a value such as `verified,faster` names two. Raises UsageError for an
    unknown state."""
    meant = {"_".join(words.label.split()): state for state, words in STATES.items()}
    meant |= {state: state for state in STATES if state} | {"not_verified": "unproven"}  # the label up to 0.2
    given = ["_".join(name.replace("-", " ").split()) for each in asked for name in each.split(",")]
    if (wrong := next((name for name in given if name not in meant), None)) is not None:
        raise UsageError(f"No run ends as {wrong!r}.", f"Choose from: {', '.join(filter(None, STATES))}.")
    return tuple(meant[name] for name in given)


def _table(found: list[RunSummary], width: int | None) -> list[str]:
    """Return one line per run. The issue comes last and is cut to the terminal's width."""
    from rich.cells import cell_len, set_cell_size

    rows = [("run", "ended", "$", "steps", "repository", "issue", ""), *map(_row, found)]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(5)]
    lines = []
    room = width - sum(widths) - 2 * len(widths) if width else None
    for run, ended, cost, steps, repository, issue, origin in rows:
        if room is not None:
            origin = origin if room - cell_len(origin) >= NARROW else MARK if origin else ""
            issue = _cut(issue, room - cell_len(origin))
        line = f"{run:<{widths[0]}}  {ended:<{widths[1]}}  {cost:>{widths[2]}}  {steps:>{widths[3]}}  "
        line += f"{set_cell_size(repository, widths[4])}  {issue}{origin}"
        lines.append(_cut(line.rstrip(), width) if width else line.rstrip())
    return lines


def _cut(text: str, width: int) -> str:
    """Cut text to a width, with an ellipsis if something is left out."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"


def _row(line: RunSummary) -> tuple[str, str, str, str, str, str, str]:
    cost = "?" if line.dollars is None else f"{line.dollars:.4f}"
    state = STATES[line.state].label if line.state in STATES else one_line(line.state)
    origin = f" (from {one_line(line.origin)})" if line.origin else ""
    repository = _cut(one_line(PurePath(line.repository).name), LONGEST_NAME)
    return one_line(line.run), state, cost, str(line.steps), repository, one_line(line.issue), origin
