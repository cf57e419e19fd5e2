"""Runs whose patch is published at their end if the settings request a pull request."""

from __future__ import annotations

from collections.abc import Generator

from agent.engine.engine import Engine
from agent.lifecycle import run_lifecycle
from agent.lifecycle.run_result import Result
from trajectories.records import Step


def solve(engine: Engine) -> Generator[Step, None, Result]:
    """Solve a run as `run_lifecycle.solve` does, and open the pull request that its settings request."""
    return run_lifecycle.solve(engine, _publish)


def _publish(engine: Engine, result: Result) -> None:
    # imported here, since it imports GitHub's packages
    from agent.github.pull_request.pull_request_delivery import deliver_request

    deliver_request(engine, result)
