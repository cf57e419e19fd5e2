"""Who calls a function, what it calls, its base and sub classes, its tests: a neighbourhood of the code graph."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.options import Json, Plain

if TYPE_CHECKING:
    from aci.graph.graph import Graph
    from aci.graph.surroundings import Seen

MOST_MEANT = 5
"""Definitions of one name that are shown whole."""
LONGEST_NAME = 100
"""Characters of a name that nothing has, where it is told."""
MOST = 25
"""Of each relation, in a terminal."""


def command(
    name: Annotated[str, typer.Argument(help="Class.method, module.name, path.py:name, path.py.", metavar="NAME")],
    repo: Annotated[str, typer.Option(help="Repository: a folder, or a URL to clone.", metavar="DIR|URL")] = ".",
    base: Annotated[str | None, typer.Option(help="Look exactly here, not in the working tree.", metavar="REV")] = None,
    depth: Annotated[int, typer.Option(help="Callers of callers, and so on.", min=1, max=4, metavar="N")] = 1,
    html: Annotated[Path | None, typer.Option(help="Write a page that needs nothing else.", metavar="F")] = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Who calls a function, what it calls, its base and sub classes, its tests.

    Exit codes: 0 done, 2 usage (nothing is called so: the nearest names are told), 5 workspace.
    """
    from aci.locating import ask_graph
    from aci.repository import Repository
    from agent.intake import repository_from
    from agent.terminal import console, waiting

    began = time.monotonic()
    source = Repository.open(repository_from(repo))
    with waiting("Reading the repository", plain or json) as progress, source.blobs(base) as blobs:
        found, more = ask_graph(blobs, lambda graph: _found(graph, name, depth), progress.print)
    where = f"{source.name} at {source.told(base)}"
    if html:
        _write(html, found, where)
        progress.print(f"Written to {html}.")
    if json:
        from json import dumps

        from agent.graph_tree import as_json

        seconds = round(time.monotonic() - began, 3)
        told = {"name": name, "found": [as_json(one) for one in found], "more": [as_json(one) for one in more]}
        typer.echo(dumps(told | {"seconds": seconds}))
    elif not html:
        from agent.graph_tree import tree

        for one in found:
            console(plain).print(tree(one, MOST))
        if more:
            console(plain).print(f"{len(more)} more are called so: name one, like `{more[0].path}:{more[0].name}`.")
    return 0


def _found(graph: Graph, name: str, depth: int) -> tuple[list[Seen], list[Seen]]:
    """The first definitions of a name, with what is around them, and the others. Raises UsageError for a name that
    nothing has, with the nearest.
    """
    from aci.graph.naming import meant
    from aci.graph.surroundings import seen, surroundings
    from trajectories.errors import UsageError

    said = meant(graph, name)
    if not said.places:
        near = [f"{one.name} ({one.address})" for one in (seen(graph, place) for place in said.near)]
        fix = f"Nearest: {', '.join(near)}." if near else "Give a name as it is written where it is defined."
        raise UsageError(f"Nothing is called {name[:LONGEST_NAME]!r}.", fix)
    whole, others = said.places[:MOST_MEANT], said.places[MOST_MEANT:]
    return [surroundings(graph, place, depth) for place in whole], [seen(graph, place) for place in others]


def _write(file: Path, found: list[Seen], where: str) -> None:
    from agent.graph_page import page
    from trajectories.errors import UsageError

    try:
        file.write_text(page(found, where), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from None
