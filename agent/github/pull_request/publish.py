"""Publication of a run's patch at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.engine.run_result import Result


def publish(engine: Engine, result: Result) -> None:
    """Open the pull request that the settings request, if the patch is proven. Imports GitHub's packages only then."""
    from agent.github.pull_request.pull_request_delivery import deliver_request

    deliver_request(engine, result)
