"""A job's outputs and its summary page, written to the files that GitHub Actions names in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


def write_outputs(**values: str) -> None:
    """Set outputs of the step. Each value has a random delimiter, so untrusted text cannot end it."""
    lines = []
    for name, value in values.items():
        end = token_hex(16)
        lines += [f"{name}<<{end}", value, end]
    _append("GITHUB_OUTPUT", lines)


def summarise(text: str) -> None:
    """Add Markdown to the job's summary page."""
    _append("GITHUB_STEP_SUMMARY", [text])


def _append(variable: str, lines: list[str]) -> None:
    if target := os.environ.get(variable):
        with Path(target).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write("".join(f"{line}\n" for line in lines))
