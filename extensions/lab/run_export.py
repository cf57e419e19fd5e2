"""Export of runs in the formats of other programs; each format is a module in `exports/` and is found by its name."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError
from trajectories.plugins import find, names

if TYPE_CHECKING:
    from extensions.lab.training.candidate_groups import Selection
    from extensions.lab.training.training_sets import Exclusions
    from trajectories.records import Patch
    from trajectories.trajectory import RunView

PACKAGE = "trajectories.exports"
TRAINING = frozenset({"sft", "dpo", "rloo"})
"""Formats for training data; they have rows, filters and a data card."""


def formats() -> dict[str, str]:
    """Return each format with a one-line description."""
    return {name: _part(name, "WHAT") for name in sorted(names(PACKAGE))}


def file_extension(name: str) -> str:
    """Return the file extension of a format."""
    found: str = _part(name, "ENDING")
    return found


def export_runs(runs: Sequence[RunView], name: str, secrets: Iterable[str]) -> Iterator[str]:
    """Yield the export of the runs in pieces, with `secrets` and the secrets in the environment masked.

    Raises UsageError for an unknown format, and for runs that it does not support.
    """
    export = _part(name, "export")
    if len(runs) > 1 and not _part(name, "SEVERAL"):
        raise UsageError(f"{name} exports one run, but {len(runs)} were given.", "Export them one by one.")
    return _with_first_piece(export(_all_masked(runs, secrets)))


def select_for_training(
    runs: Sequence[RunView], secrets: Iterable[str], exclusions: Exclusions, with_sessions: bool = False
) -> Selection:
    """Return the candidates for a training set, with secrets masked as in `export_runs`; `with_sessions` allows
    preference pairs of the user's sessions."""
    from extensions.lab.training.candidate_groups import select_candidates

    return select_candidates(_all_masked(runs, secrets), exclusions.reason, with_sessions)


def training_rows(name: str, selection: Selection, last_turn: bool = False) -> Iterator[str]:
    """Return the rows of a training set; what the selection leaves out is complete after the last one. Raises
    UsageError if there is no row, and for `last_turn` in another format than `sft`."""
    if last_turn and name != "sft":
        raise UsageError(f"--last-turn has no effect on {name}.", "Use it with sft.")
    rows = _part(name, "rows")
    return _with_first_piece(rows(selection, last_turn) if last_turn else rows(selection))


def filters(name: str) -> str:
    """Return which candidates a training set contains, as a sentence."""
    found: str = _part(name, "FILTERS")
    return found


def _all_masked(runs: Sequence[RunView], secrets: Iterable[str]) -> list[RunView]:
    from agent.engine.engine import known_secrets

    hidden = (*known_secrets(os.environ), *secrets)
    return [_masked(run, hidden) for run in runs]


def _part(name: str, attribute: str) -> Any:
    return find(PACKAGE, name, attribute, "format")


def _with_first_piece(pieces: Iterator[str]) -> Iterator[str]:
    """Generate the first piece immediately, so that errors are raised before anything is written."""
    from itertools import chain

    return chain([first for first in [next(pieces, "")] if first], pieces)


def _masked(run: RunView, secrets: Sequence[str]) -> RunView:
    """Return a run with secrets masked. The records were masked when they were written, but secrets may have been added
    since."""
    from aci.observation.secret_masking import mask_secrets

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return mask_secrets(value, secrets).encode("utf-8", "replace").decode()
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON cannot represent infinity and NaN
        if isinstance(value, Mapping):
            return {hide(name): hide(part) for name, part in value.items()}
        return [hide(part) for part in value] if isinstance(value, list | tuple) else value

    def patch() -> Patch:
        found = run.patch()
        return replace(found, source=mask_secrets(found.source, secrets), tests=mask_secrets(found.tests, secrets))

    def requests(branch: str) -> Iterator[Sequence[dict[str, Any]]]:
        known: dict[int, tuple[Any, Any]] = {}  # a message may occur in many requests, but is masked only once
        for messages in run.requests(branch):
            known = {id(each): known.get(id(each)) or (each, hide(each)) for each in messages}
            yield [known[id(each)][1] for each in messages]

    return replace(
        run,
        trajectory=_mask_records(run.trajectory, hide),
        requests=requests,
        answers=lambda branch: map(hide, run.answers(branch)),
        patch=patch,
    )


def _mask_records(trajectory: Any, hide: Any) -> Any:
    import json

    from trajectories.journal import decode, encode
    from trajectories.trajectory import Trajectory

    return Trajectory(decode(json.dumps(hide(json.loads(encode(record)))).encode()) for record in trajectory.records)


def write_export(pieces: Iterable[str], target: Path) -> str:
    """Write a file atomically and return a message. Raises UsageError if it cannot be written.

    An existing file keeps its mode, and a link is followed. A pipe or device is written to directly.
    """
    try:
        found = target.stat() if target.exists() else None
        if found and not stat.S_ISREG(found.st_mode):
            with target.open("w", encoding="utf-8", errors="replace") as file:
                file.writelines(pieces)
        else:
            _replace(target.resolve(), pieces, found)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    return f"{'Replaced' if found and found.st_size else 'Written to'} {target}."


def _replace(target: Path, pieces: Iterable[str], found: os.stat_result | None) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with beside.open("x", encoding="utf-8", errors="replace") as file:
            if found:
                os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            file.writelines(pieces)
        beside.replace(target)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
