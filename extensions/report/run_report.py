"""Reports of one or two runs: a self-contained HTML page, and the file to which it is written."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.version import __version__
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import make_folder
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from extensions.report.report_text import ReportText
    from trajectories.trajectory import RunView

NEAR = 1000
"""Number of bytes at the beginning of a page that are searched for the mark of a report."""


def write_report(runs: Sequence[RunView], target: Path, secrets: Sequence[str] = ()) -> str:
    """Write the report of these runs atomically and return a message for the user.

    `secrets` and the secrets in the environment are masked. Raises UsageError if the file exists and is not a report,
    or cannot be written; RunBroken for a run that was not started.
    """
    from extensions.report.report_page import page
    from trajectories.journal import write_durably

    again = _is_report(target)
    html = page(report_document(runs, secrets))
    try:
        write_durably(target, html.encode())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    return f"{'Replaced' if again else 'Written to'} {target}."


def report_document(runs: Sequence[RunView], secrets: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of the page as JSON; for two runs it includes their comparison."""
    from agent.engine.engine import known_secrets
    from extensions.report.report_data import build_report_data
    from extensions.report.report_text import mask_texts
    from trajectories.record_text import format_time

    words = _words((*known_secrets(os.environ), *secrets))
    return {
        "made": format_time(time.time()),
        "by": f"swe-agent {__version__}",
        "runs": [build_report_data(run, words, len(runs)) for run in runs],
        "parting": mask_texts(_parting(*runs), words.mask) if len(runs) == 2 else None,
    }


def _parting(left: RunView, right: RunView) -> dict[str, Any]:
    from dataclasses import asdict

    comparison = extension_module("extensions.report.run_comparison", "The comparison of two runs", "replay")
    return asdict(comparison.compare_runs(left.trajectory, right.trajectory))


def _words(secrets: Sequence[str]) -> ReportText:
    from aci.observation.secret_masking import mask_secrets
    from aci.repository.test_files import belongs_to_tests
    from agent.conversation.messages import describe
    from extensions.report.report_text import ReportText
    from trajectories.page_picture import picture_size

    return ReportText(describe, belongs_to_tests, lambda text: mask_secrets(text, secrets), picture_size)


def report_path(runs: Sequence[RunView], named: Path | None, reports: Path) -> Path:
    """Return the path of a report: `named` if it is not a folder, otherwise a file named after the runs in that folder,
    or in the folder `reports` if `named` is None.

    Raises UsageError if `reports` is needed and cannot be created.
    """
    if named is not None and not named.is_dir():
        return named
    if named is None:
        try:
            make_folder(reports, 0o700)
        except OSError as error:
            raise UsageError(f"{reports} cannot be created: {error.strerror}.", "Name a file with --out.") from None
    names = (re.sub(r"[^\w.-]+", "-", run.name).strip("-.")[:80] or "run" for run in runs)
    return (named or reports) / f"report-{'-'.join(names)}.html"


def _is_report(target: Path) -> bool:
    """Return whether the target is an existing report. Raises UsageError for any other non-empty file."""
    from extensions.report.report_page import MARK

    try:
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} is not a file.", "Name another one.")
        with target.open("rb") as file:
            beginning = file.read(NEAR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    if beginning and MARK.encode() not in beginning:
        raise UsageError(f"{target} already exists and is not a report.", "Name another file.")
    return bool(beginning)
