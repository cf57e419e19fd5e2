"""List the runs, newest first; filter, sort and search them."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from aci.cleaning import one_line
from agent.ages import moment
from agent.listing import DAMAGED, NEWER, OPEN, RUNNING, Line, Sort, Wanted, listed
from agent.options import Json, Plain
from agent.settings import load_settings
from trajectories.errors import UsageError

WORDS = {
    "": "not begun",
    OPEN: "resumable",
    NEWER: "of a newer version",
    "unproven": "not verified",
    "not_found": "no fix",
}
STATES = (
    "verified", "faster", "unproven", "not_found", "budget", "limit", "error", "stuck", "interrupted",
    "answered", "done", "undone", "written", "replayed", "parted", OPEN, RUNNING, DAMAGED, NEWER,
)  # fmt: skip
"""What `--ended` takes, beside the words of the column."""
NARROW = 16
"""Columns for an issue below which it is only marked that a run is from another."""
MARK = " (from …)"


def command(
    repo: Annotated[str, typer.Option(help="Of this repository: a folder, or a part of its path.", metavar="R")] = "",
    ended: Annotated[
        list[str] | None, typer.Option(help="As it ended: verified, unproven, running …; may be repeated.", metavar="E")
    ] = None,
    since: Annotated[str, typer.Option(help="Begun since: 3d, 12h, 2w, or 2026-01-31.", metavar="T")] = "",
    model: Annotated[str, typer.Option(help="With a model whose name holds this.", metavar="M")] = "",
    strategy: Annotated[str, typer.Option(help="With this strategy.", metavar="S")] = "",
    resumable: Annotated[bool, typer.Option("--resumable", help="That can be gone on with.")] = False,
    search: Annotated[
        str, typer.Option(help="With all these words in issue, requests or paths of the patch.", metavar="WORDS")
    ] = "",
    sort: Annotated[Sort, typer.Option(help="The largest first; text from a to z.")] = "at",
    limit: Annotated[int | None, typer.Option(help="So many at most.", min=1, metavar="N")] = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """List the runs, newest first: what was asked, how it ended, what it cost, whether it can be resumed."""
    wanted = Wanted(
        ended=_states(ended or []),
        since=moment(since, time.time()) if since else 0.0,
        model=model,
        strategy=strategy,
        repository=repo,
        resumable=resumable,
        words=tuple(search.split()),
    )
    found = listed(load_settings().runs, wanted, sort)[:limit]
    if json:
        from json import dumps

        typer.echo(dumps({"runs": [line.as_json() for line in found]}))
        return 0
    if not found:
        narrowed = wanted != Wanted()
        typer.echo("No run matches." if narrowed else "There are no runs yet; `swe-agent fix` makes one.")
        return 0
    from agent.paging import paged

    with paged(plain) as out:
        for told in _table(found, out.width if out.is_terminal else None):
            out.line(told)
    return 0


def _states(asked: list[str]) -> tuple[str, ...]:
    """`verified,faster` is two. Raises UsageError for what is no end of a run."""
    meant = {"_".join(words.split()): state for state, words in WORDS.items()} | {state: state for state in STATES}
    given = ["_".join(name.replace("-", " ").split()) for each in asked for name in each.split(",")]
    if (wrong := next((name for name in given if name not in meant), None)) is not None:
        raise UsageError(f"No run ends as {wrong!r}.", f"Choose of: {', '.join(STATES)}.")
    return tuple(meant[name] for name in given)


def _table(found: list[Line], width: int | None) -> list[str]:
    """A line a run, the issue last, which is cut where a terminal is so wide."""
    from rich.cells import cell_len

    rows = [("run", "ended", "$", "steps", "issue", ""), *map(_row, found)]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(4)]
    lines = []
    room = width - sum(widths) - 2 * len(widths) if width else None
    for run, ended, cost, steps, issue, origin in rows:
        if room is not None:
            origin = origin if room - cell_len(origin) >= NARROW else MARK if origin else ""
            issue = _cut(issue, room - cell_len(origin))
        line = f"{run:<{widths[0]}}  {ended:<{widths[1]}}  {cost:>{widths[2]}}  {steps:>{widths[3]}}  {issue}{origin}"
        lines.append(_cut(line.rstrip(), width) if width else line.rstrip())
    return lines


def _cut(text: str, width: int) -> str:
    """So much of it as fits, with a mark where something is left out."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"


def _row(line: Line) -> tuple[str, str, str, str, str, str]:
    cost = "?" if line.dollars is None else f"{line.dollars:.4f}"
    state = WORDS.get(line.state, one_line(line.state))
    origin = f" (from {one_line(line.origin)})" if line.origin else ""
    return one_line(line.run), state, cost, str(line.steps), one_line(line.issue), origin
