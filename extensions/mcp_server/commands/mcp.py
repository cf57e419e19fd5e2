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
            help="Top folder of a repository that clients may use, and that you trust as your own. Default: the "
            "repository of the current folder. Repeatable.",
            metavar="DIR",
        ),
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(
            help="Serve on this port of 127.0.0.1, not on stdin; 0: any free port.", min=0, max=65535, metavar="PORT"
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
    """Serve locate, locate_with_model, graph, symbols, run_tests, prove, optimize and fix as tools for other agents.

    The protocol is MCP. Clients cannot choose the model, the workspace, the budget or the test command. They get
    patches; the working tree is not changed. --budget and --max-tokens limit all runs together.

    With --http, clients must send a token: the value of $SWE_AGENT_MCP_TOKEN, or the token that is printed on stderr if
    this variable is not set.

    Exit codes: 0 (the client disconnected), 2 (usage), 3 (configuration), 130 (interrupted).
    """
    from extensions.mcp_server.protocol_server import check_sdk, serve_stdio
    from extensions.mcp_server.server_options import server_options

    check_sdk()
    chosen = {"model": model, "strategy": strategy, "attempts": attempts, "budget": budget} | run_settings
    server = server_options(root or [], chosen)
    if http is None:
        return serve_stdio(server)
    from extensions.mcp_server.http_server import serve_http

    return serve_http(server, http)
