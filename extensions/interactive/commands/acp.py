"""Serve sessions to an editor over ACP."""

from __future__ import annotations

from typing import Any

from agent.cli import shared_options as options


@options.with_run_settings
def command(
    model: options.Model = None,
    strategy: options.Strategy = None,
    budget: options.Budget = None,
    *,
    run_settings: dict[str, Any],
) -> int:
    """Serve sessions to an editor that supports the Agent Client Protocol (Zed, Neovim, toad), on stdin and stdout.

    The editor chooses the repository and sends prompts. You set the model, the workspace and the budget of each
    session; the editor cannot change them. Only /apply and /commit change your files, after you confirm the change.

    Exit codes: 0 (the editor disconnected), 2 (usage), 3 (configuration), 130 (interrupted).
    """
    from extensions.interactive.acp.server import serve_stdio

    chosen = {"model": model, "strategy": strategy, "budget": budget} | run_settings
    return serve_stdio({name: value for name, value in chosen.items() if value is not None})
