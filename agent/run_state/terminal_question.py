"""Yes-or-no questions to the user at the terminal."""

from __future__ import annotations

import sys


def at_terminal() -> bool:
    """Return whether the user can be asked something."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(reason: str, question: str = "Continue?") -> bool:
    """Return whether the user answers yes; False without a terminal, and for Ctrl-C or Ctrl-D."""
    if not at_terminal():
        return False
    import typer

    from aci.observation.untrusted_text import clean_text

    try:
        return typer.confirm(f"{clean_text(reason)} {question}".strip(), err=True)
    except typer.Abort:
        return False
