"""What is made of a batch's records when it ends, or is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.batch.asked import Asked
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from agent.batch.driver import Front
    from agent.batch.instances import Gold


def finish(asked: Asked, front: Front) -> None:
    """Write the failure page. What goes wrong is said: the batch itself is done."""
    from agent.batch.failures import write_failures

    try:
        write_failures(asked.out, _golds(asked))
    except SweAgentError as error:
        front.say(f"{error.message} {error.fix}".strip())


def _golds(asked: Asked) -> Mapping[str, Gold] | None:
    """Where the issues were solved, for the page only; none where the files do not say."""
    from agent.batch.instances import read_golds

    try:
        return read_golds(asked.files) or None
    except UsageError:
        return None
