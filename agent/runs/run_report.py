"""A report of one or two runs: a page that needs nothing but itself, and where it is written."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from trajectories.material import Material
    from trajectories.report.words import Words

NEAR = 1000
"""Bytes of a page among which it says whose it is."""


def report(runs: Sequence[Material], target: Path, secrets: Sequence[str] = ()) -> str:
    """Write the page of these runs, whole or not at all; what was done, in a sentence.

    Secrets of this process's environment are masked, and `secrets`. Raises UsageError for a file that is no report,
    or a place that cannot be written; RunBroken for a run that was not begun.
    """
    from trajectories.journal import write_durably
    from trajectories.report.page import page

    again = _is_report(target)
    told = page(document(runs, secrets))
    try:
        write_durably(target, told.encode())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    return f"{'Written over' if again else 'Written to'} {target}."


def document(runs: Sequence[Material], secrets: Sequence[str] = ()) -> dict[str, Any]:
    """What the page shows, as JSON; of two runs also where they part."""
    from agent.engine import known_secrets
    from agent.solve import VERSION
    from trajectories.report.telling import told
    from trajectories.report.words import masked, when

    words = _words((*known_secrets(os.environ), *secrets))
    return {
        "made": when(time.time()),
        "by": f"swe-agent {VERSION}",
        "runs": [told(run, words, len(runs)) for run in runs],
        "parting": masked(_parting(*runs), words.mask) if len(runs) == 2 else None,
    }


def _parting(left: Material, right: Material) -> dict[str, Any]:
    from dataclasses import asdict

    from trajectories.parting import parting

    return asdict(parting(left.trajectory, right.trajectory))


def _words(secrets: Sequence[str]) -> Words:
    from rich.text import Text

    from aci.patch import in_tests
    from aci.view import mask
    from agent.best import PARTS
    from agent.console import ENDINGS
    from agent.describing import describe
    from trajectories.report.words import Words

    endings = {kind: Text.from_markup(words).plain for kind, words in ENDINGS.items()}
    return Words(describe, in_tests, lambda text: mask(text, secrets), PARTS, endings)


def target_of(runs: Sequence[Material], named: Path | None) -> Path:
    """Where a report goes: to the file that was named; into the folder, or the present one, by the runs' names."""
    if named is not None and not named.is_dir():
        return named
    names = (re.sub(r"[^\w.-]+", "-", run.name).strip("-.")[:80] or "run" for run in runs)
    return (named or Path()) / f"report-{'-'.join(names)}.html"


def _is_report(target: Path) -> bool:
    """Whether a report is there already. Raises UsageError for anything else that is and holds something."""
    from trajectories.report.page import MARK

    try:
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} is no file.", "Name another one.")
        with target.open("rb") as file:
            beginning = file.read(NEAR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    if beginning and MARK.encode() not in beginning:
        raise UsageError(f"{target} is there already, and is no report.", "Name another file.")
    return bool(beginning)
