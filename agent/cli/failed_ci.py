"""Failed CI as the input of a run (`fix --ci`), by the extension `github`."""

from __future__ import annotations

from typing import Any

from trajectories.plugins import extension_module


def failed_ci() -> Any:
    """Return the module of the extension that fixes failed CI. Raises UsageError if it is not installed."""
    return extension_module("agent.cli.failed_ci", "Fixing failed CI (`--ci`)", "github")
