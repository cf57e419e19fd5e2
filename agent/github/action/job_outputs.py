"""What a job tells the next ones, and the page of its run: files that Actions names in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


def tell(**values: str) -> None:
    """Set outputs of the step. A value of a stranger's cannot end itself: what ends it is drawn anew each time."""
    lines = []
    for name, value in values.items():
        end = token_hex(16)
        lines += [f"{name}<<{end}", value, end]
    _append("GITHUB_OUTPUT", lines)


def summarise(text: str) -> None:
    """Add Markdown to the run's page."""
    _append("GITHUB_STEP_SUMMARY", [text])


def _append(variable: str, lines: list[str]) -> None:
    if target := os.environ.get(variable):
        with Path(target).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write("".join(f"{line}\n" for line in lines))
