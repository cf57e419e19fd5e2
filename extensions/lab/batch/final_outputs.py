"""Outputs that a batch writes when it ends or is interrupted: failure page and leaderboard submission."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from extensions.lab.batch.batch_options import BatchOptions
from trajectories.errors import ConfigError, SweAgentError, UsageError

if TYPE_CHECKING:
    from extensions.lab.batch.batch_worker import BatchDisplay


def write_final_outputs(asked: BatchOptions, done: Container[str], whole: bool, front: BatchDisplay) -> None:
    """Write the failure page of the `done` instances and, if it is requested and the batch is complete (`whole`), the
    submission.

    Errors are only shown, because the batch itself is finished.
    """
    from extensions.lab.batch.reports.failure_report import write_failures

    with _show_errors(front):
        write_failures(asked.out, _golds(asked, done))
    if asked.leaderboard is None:
        return
    if not whole:
        front.say(f"{asked.leaderboard} is not written: the batch is not finished.")
        return
    from extensions.lab.batch.reports.batch_manifest import read_manifest
    from extensions.lab.batch.reports.leaderboard_submission import write_leaderboard

    with _show_errors(front):
        write_leaderboard(asked.out, asked.leaderboard, read_manifest(asked.out) or {})


@contextmanager
def _show_errors(front: BatchDisplay) -> Iterator[None]:
    try:
        yield
    except SweAgentError as error:
        front.say(f"{error.message} {error.fix}".strip())
    except Exception as error:  # noqa: BLE001 - an internal error in a report must not fail the batch
        front.say(f"Internal error: {type(error).__name__}: {error}")


def _golds(asked: BatchOptions, done: Container[str]) -> Mapping[str, str] | None:
    """Return the instances' gold patches, for the failure page only; None if the instance files contain none."""
    from extensions.lab.instances.dataset_rows import ID, is_list_of_addresses, rows

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
