"""Copying to the clipboard, including over ssh: through the terminal (OSC 52), tmux or, on macOS, `pbcopy`."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from aci.observation.untrusted_text import clean_text
from extensions.interactive.tui.terminal_sequences import Write, osc

LARGEST = 74_000
"""Maximum number of bytes to copy; encoded in base64 they take 100 kB, the limit of most terminals."""
PATIENCE = 2.0
FILE = "copied.txt"


def copy(write: Write, text: str, folder: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Copy text without terminal control characters; return a message for the user.

    Text that is too long for terminals is written to a file in `folder`, if given.
    """
    text = clean_text(text)
    data = text.encode()
    if not data:
        return "There is nothing to copy."
    if len(data) > LARGEST:
        size = f"{len(data) / 1000:,.0f} kB is too large for a terminal's clipboard"
        return f"{size}. {_write_file(data, folder / FILE)}" if folder else f"{size}."
    if not _by_command(data, environment):
        write(osc(f"52;c;{base64.b64encode(data).decode()}", environment))
    lines = text.count("\n") + 1
    return f"Copied {lines} lines." if lines > 1 else f"Copied {len(text)} character{'s' * (len(text) != 1)}."


def _by_command(data: bytes, environment: Mapping[str, str]) -> bool:
    """Copy with tmux, which passes the data to its terminal (since 3.2), or with `pbcopy`; return whether this
    succeeded."""
    if environment.get("TMUX"):
        return _run_command(("tmux", "load-buffer", "-w", "-"), data, environment)
    local = sys.platform == "darwin" and "SSH_CONNECTION" not in environment
    return local and _run_command(("pbcopy",), data, environment)


def _run_command(command: tuple[str, ...], data: bytes, environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            command, input=data, env=dict(environment), capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _write_file(data: bytes, path: Path) -> str:
    """Write the data to a file and return a message with its path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return f"It was written to {path}."
