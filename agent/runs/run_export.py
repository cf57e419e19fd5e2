"""Runs in other programs' formats: each is a file under `trajectories/exports/`, found by its name."""

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
    from trajectories.material import Material
    from trajectories.records import Patch

PACKAGE = "trajectories.exports"
TRAINING = frozenset({"sft", "dpo", "rloo"})
"""Formats that leave out runs of somebody else: what their verdicts claim is not learned from."""


def formats() -> dict[str, str]:
    """Each format with what it is, in a line."""
    return {name: _part(name, "WHAT") for name in sorted(names(PACKAGE))}


def ending(name: str) -> str:
    """What the name of such a file ends in."""
    found: str = _part(name, "ENDING")
    return found


def written(runs: Sequence[Material], name: str, secrets: Iterable[str]) -> Iterator[str]:
    """The runs in that format, piece by piece, with the secrets of this process's environment and these masked.

    Raises UsageError for a format that there is not, and for runs that it cannot tell of.
    """
    from agent.engine import known_secrets

    export = _part(name, "export")
    if len(runs) > 1 and not _part(name, "SEVERAL"):
        raise UsageError(f"{name} tells of one run, and {len(runs)} are given.", "Export them one by one.")
    hidden = (*known_secrets(os.environ), *secrets)
    return _begun(export([_masked(run, hidden) for run in runs]))


def _part(name: str, attribute: str) -> Any:
    return find(PACKAGE, name, attribute, "format")


def _begun(pieces: Iterator[str]) -> Iterator[str]:
    """What cannot be told at all is an error before anything is written."""
    from itertools import chain

    return chain([first for first in [next(pieces, "")] if first], pieces)


def _masked(run: Material, secrets: Sequence[str]) -> Material:
    """The run as whoever reads the export is to see it. Its records were masked when they were written, but a key may
    have become one since."""
    from aci.view import mask

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return mask(value, secrets).encode("utf-8", "replace").decode()
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has none
        if isinstance(value, Mapping):
            return {hide(name): hide(part) for name, part in value.items()}
        return [hide(part) for part in value] if isinstance(value, list | tuple) else value

    def patch() -> Patch:
        found = run.patch()
        return replace(found, source=mask(found.source, secrets), tests=mask(found.tests, secrets))

    def requests(branch: str) -> Iterator[Sequence[dict[str, Any]]]:
        known: dict[int, tuple[Any, Any]] = {}  # a message is in many requests, and masked once
        for messages in run.requests(branch):
            known = {id(each): known.get(id(each)) or (each, hide(each)) for each in messages}
            yield [known[id(each)][1] for each in messages]

    return replace(
        run,
        trajectory=_hidden(run.trajectory, hide),
        requests=requests,
        answers=lambda branch: map(hide, run.answers(branch)),
        patch=patch,
    )


def _hidden(trajectory: Any, hide: Any) -> Any:
    import json

    from trajectories.journal import decode, encode
    from trajectories.trajectory import Trajectory

    return Trajectory(decode(json.dumps(hide(json.loads(encode(record)))).encode()) for record in trajectory.records)


def to_file(pieces: Iterable[str], target: Path) -> str:
    """Write it whole, or leave what was there; what was done, in a sentence. Raises UsageError for a place that cannot
    be written.

    A file that was there keeps its mode, a link its place; what is no file (a pipe, a device) is written into.
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
    return f"{'Written over' if found and found.st_size else 'Written to'} {target}."


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
