"""Show callers, callees, base classes and tests of a symbol."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.symbol_context import PlaceView

MOST_MEANT = 5
"""Maximum number of definitions of one name that are shown with their neighbours."""
LONGEST_NAME = 100
"""Maximum number of characters of an unknown name in an error message."""
MOST = 25
"""Maximum number of entries of each relation that are shown in a terminal."""


def command(
    name: Annotated[str, typer.Argument(help="Class.method, module.name, path.py:name, path.py.", metavar="NAME")],
    repo: options.Repo = ".",
    base: options.SearchBase = None,
    depth: Annotated[int, typer.Option(help="Levels of callers, callees and so on.", min=1, max=4, metavar="N")] = 1,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page.", metavar="F")] = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Show a symbol's neighbours in the code graph: callers, callees, base classes, subclasses and tests.

    Exit codes: 0 done, 2 usage (for an unknown name the nearest names are listed), 5 workspace.
    """
    from aci.localization.issue_localization import query_tree_graph
    from aci.repository.user_repository import Repository
    from agent.console.rich_terminal import console, plain_waiting, waiting
    from agent.instances.issue_input import repository_from

    began = time.monotonic()
    source = Repository.open(repository_from(repo, plain_waiting))
    with waiting("Reading the repository", plain or json) as progress, source.blobs(base) as blobs:
        found, more = query_tree_graph(blobs, lambda graph: _look_up(graph, name, depth), progress.print)
    where = f"{source.name} at {source.describe_source(base)}"
    if html:
        _write(html, found, where)
        progress.print(f"Written to {html}.")
    if json:
        from json import dumps

        from agent.cli.graph_tree import as_json

        seconds = round(time.monotonic() - began, 3)
        document = {"name": name, "found": [as_json(one) for one in found], "more": [as_json(one) for one in more]}
        typer.echo(dumps(document | {"seconds": seconds}))
    elif not html:
        from agent.cli.graph_tree import build_tree

        for one in found:
            console(plain).print(build_tree(one, MOST))
        if more:
            console(plain).print(f"{len(more)} more have this name; choose one, like `{more[0].path}:{more[0].name}`.")
    return 0


def _look_up(graph: Graph, name: str, depth: int) -> tuple[list[PlaceView], list[PlaceView]]:
    """Return the first definitions of a name with their neighbours, and the other definitions.

    Raises UsageError, listing the nearest names, for an unknown name.
    """
    from aci.graph.name_lookup import look_up_name
    from aci.graph.symbol_context import describe_place, find_context
    from trajectories.errors import UsageError

    lookup = look_up_name(graph, name)
    if not lookup.places:
        near = [f"{one.name} ({one.address})" for one in (describe_place(graph, place) for place in lookup.near)]
        fix = f"Nearest: {', '.join(near)}." if near else "Write the name as in its definition."
        raise UsageError(f"There is no symbol {name[:LONGEST_NAME]!r}.", fix)
    whole, others = lookup.places[:MOST_MEANT], lookup.places[MOST_MEANT:]
    return [find_context(graph, place, depth) for place in whole], [describe_place(graph, place) for place in others]


def _write(file: Path, found: list[PlaceView], where: str) -> None:
    from agent.cli.graph_page import render_page
    from trajectories.errors import UsageError

    try:
        file.write_text(render_page(found, where), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from None
