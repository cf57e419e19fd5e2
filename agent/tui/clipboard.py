"""Copying, also over ssh: the terminal is asked to (OSC 52), tmux by its own command, a Mac by `pbcopy`."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from aci.view import clean
from agent.tui.sequences import Write, osc

LARGEST = 74_000
"""Bytes; in base64 the 100 kB that most terminals take at most."""
PATIENCE = 2.0
FILE = "copied.txt"


def copy(write: Write, text: str, folder: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Copy a text, without what would control a terminal it is pasted into. Returns what to tell the user.

    What is too long for terminals is put into a file in `folder`, if there is one.
    """
    text = clean(text)
    data = text.encode()
    if not data:
        return "There is nothing to copy."
    if len(data) > LARGEST:
        size = f"{len(data) / 1000:,.0f} kB is more than a terminal copies"
        return f"{size}. {_kept(data, folder / FILE)}" if folder else f"{size}."
    if not _by_command(data, environment):
        write(osc(f"52;c;{base64.b64encode(data).decode()}", environment))
    lines = text.count("\n") + 1
    return f"Copied {lines} lines." if lines > 1 else f"Copied {len(text)} character{'s' * (len(text) != 1)}."


def _by_command(data: bytes, environment: Mapping[str, str]) -> bool:
    """Whether a command has taken it: tmux, which hands it on to its terminal (from 3.2 on), or this Mac's own."""
    if environment.get("TMUX"):
        return _ran(("tmux", "load-buffer", "-w", "-"), data, environment)
    local = sys.platform == "darwin" and "SSH_CONNECTION" not in environment
    return local and _ran(("pbcopy",), data, environment)


def _ran(command: tuple[str, ...], data: bytes, environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            command, input=data, env=dict(environment), capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _kept(data: bytes, path: Path) -> str:
    """Where it lies now."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return f"It is in {path}."
