"""Show callers, callees, base classes and tests of a symbol."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import shared_options as options

MOST = 25
"""Maximum number of entries of each relation that are shown in a terminal."""


def command(
    name: Annotated[
        str, typer.Argument(help="Symbol or file: Class.method, module.name, path.py:name or path.py.", metavar="NAME")
    ],
    repo: options.Repo = ".",
    base: options.SearchBase = None,
    depth: Annotated[int, typer.Option(help="Number of levels of neighbours.", min=1, max=4, metavar="N")] = 1,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page.", metavar="F")] = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Show a symbol's neighbours in the code graph: callers, callees, base classes, subclasses and tests.

    If the name is unknown, the command lists the most similar names. Exit codes: 0 (done), 2 (usage, unknown name),
    5 (workspace).
    """
    from aci.graph.symbol_context import look_up_context
    from aci.localization.issue_localization import query_tree_graph
    from aci.repository.user_repository import Repository
    from agent.console.rich_terminal import console, plain_waiting, waiting
    from agent.inputs.issue_input import repository_from
    from trajectories.plugins import extension_module

    pages = extension_module("extensions.code_search.graph_page", "A page of the graph", "report") if html else None
    began = time.monotonic()
    source = Repository.open(repository_from(repo, plain_waiting))
    with waiting("Reading the repository", plain or json) as progress, source.blobs(base) as blobs:
        found, more = query_tree_graph(blobs, name, lambda graph: look_up_context(graph, name, depth), progress.print)
    where = f"{source.name} at {source.describe_source(base)}"
    if html and pages:
        _write(html, pages.render_page(found, where))
        progress.print(f"Written to {html}.")
    if json:
        from json import dumps

        seconds = round(time.monotonic() - began, 3)
        document = {"name": name, "found": [one.as_json() for one in found], "more": [one.as_json() for one in more]}
        typer.echo(dumps(document | {"seconds": seconds}))
    elif not html:
        from extensions.code_search.graph_tree import build_tree

        for one in found:
            console(plain).print(build_tree(one, MOST))
        if more:
            console(plain).print(f"{len(more)} more have this name; choose one, like `{more[0].path}:{more[0].name}`.")
    return 0


def _write(file: Path, page: str) -> None:
    from trajectories.errors import UsageError

    try:
        file.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from None
