"""What is made of a batch's records when it ends, or is interrupted."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.batch.asked import Asked
from trajectories.errors import ConfigError, SweAgentError, UsageError

if TYPE_CHECKING:
    from agent.batch.driver import Front


def finish(asked: Asked, done: Container[str], whole: bool, front: Front) -> None:
    """Write the failure page of the instances that are `done`, and what was asked for of a batch that is `whole`. What
    goes wrong is said: the batch itself is done."""
    from agent.batch.failures import write_failures

    with _told(front):
        write_failures(asked.out, _golds(asked, done))
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
    except Exception as error:  # noqa: BLE001 - a fault of ours in what is made of a batch is none of the batch
        front.say(f"A fault of swe-agent's own: {type(error).__name__}: {error}")


def _golds(asked: Asked, done: Container[str]) -> Mapping[str, str] | None:
    """The patches that solve the instances, for the page only; none where the files do not say."""
    from agent.batch.rows import ID, is_list_of_addresses, rows

    found: dict[str, str] = {}
    with suppress(UsageError, ConfigError):
        for path in asked.files:
            if is_list_of_addresses(path):
                continue
            for _, row in rows(path, (*ID, "patch")):
                id, patch = next((row[name] for name in ID if name in row), None), row.get("patch")
                if isinstance(id, str) and isinstance(patch, str) and id in done:
                    found[id] = patch
    return found or None
