"""Serve the tools to another agent over MCP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import shared_options as options


@options.with_run_settings
def command(
    root: Annotated[
        list[Path] | None,
        typer.Option(
            help="Top of a repository that clients may use, which you trust as your own; default: the repository here; "
            "repeatable.",
            metavar="DIR",
        ),
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(
            help="Serve on this port of 127.0.0.1, not on stdin; 0: a free one.", min=0, max=65535, metavar="PORT"
        ),
    ] = None,
    model: options.Model = None,
    strategy: options.Strategy = None,
    attempts: options.Attempts = None,
    budget: Annotated[
        float | None, typer.Option(help="Budget of all runs together, in dollars.", metavar="USD")
    ] = None,
    *,
    run_settings: dict[str, Any],
) -> int:
    """Serve locate, graph, symbols, run_tests, prove, optimize and fix as tools for another agent, over MCP.

    Clients choose neither model, workspace, budget nor test command, and get patches; the working tree is not changed.
    --max-tokens is also for all runs together. With --http, clients need the token that is printed on stderr, or
    $SWE_AGENT_MCP_TOKEN. Exit codes: 0 the client has left, 2 usage, 3 configuration, 130 interrupted.
    """
    from agent.mcp.server import check_sdk, serve_stdio
    from agent.mcp.server_options import server_options

    check_sdk()
    chosen = {"model": model, "strategy": strategy, "attempts": attempts, "budget": budget} | run_settings
    server = server_options(root or [], chosen)
    if http is None:
        return serve_stdio(server)
    from agent.mcp.http_server import serve_http

    return serve_http(server, http)
