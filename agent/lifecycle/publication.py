"""Runs whose patch is published at their end if the settings request a pull request."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from agent.engine.engine import Engine
from agent.lifecycle import run_lifecycle
from agent.lifecycle.run_result import Result
from trajectories.plugins import serving_module
from trajectories.records import Step


def solve(engine: Engine) -> Generator[Step, None, Result]:
    """Solve a run as `run_lifecycle.solve` does, and open the pull request that its settings request."""
    return run_lifecycle.solve(engine, _publish)


def pull_requests(issue: str) -> Any:
    """Return the module of the extension that opens pull requests where the issue at the URL `issue` is. Raises
    UsageError if it is not installed."""
    return serving_module("agent.lifecycle.pull_requests", issue, "Opening a pull request", "github")


def _publish(engine: Engine, result: Result) -> None:
    pull_requests(engine.run.issue.url).deliver_request(engine, result)
