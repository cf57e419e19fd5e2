"""What is made of a batch's records when it ends, or is interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.batch.asked import Asked
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from agent.batch.driver import Front
    from agent.batch.instances import Gold


def finish(asked: Asked, whole: bool, front: Front) -> None:
    """Write the failure page, and what was asked for of a batch that is `whole`. What goes wrong is said: the batch
    itself is done."""
    from agent.batch.failures import write_failures

    with _told(front):
        write_failures(asked.out, _golds(asked))
    if asked.leaderboard is None:
        return
    if not whole:
        front.say(f"{asked.leaderboard} is not written: there is more to do.")
        return
    from agent.batch.leaderboard import write_leaderboard
    from agent.batch.manifest import read_manifest

    with _told(front):
        write_leaderboard(asked.out, asked.leaderboard, read_manifest(asked.out) or {})


@contextmanager
def _told(front: Front) -> Iterator[None]:
    try:
        yield
    except SweAgentError as error:
        front.say(f"{error.message} {error.fix}".strip())


def _golds(asked: Asked) -> Mapping[str, Gold] | None:
    """Where the issues were solved, for the page only; none where the files do not say."""
    from agent.batch.instances import read_golds

    try:
        return read_golds(asked.files) or None
    except UsageError:
        return None
