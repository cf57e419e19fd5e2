"""The clipboard: copying text, also over ssh, through the terminal (OSC 52), tmux or, on macOS, `pbcopy`; and reading
pictures, with a program of the desktop."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shutil import which
from threading import Timer

from aci.issue_text.image_links import MOST_PICTURES, image_format
from aci.observation.untrusted_text import clean_text
from extensions.interactive.tui.terminal_sequences import Write, osc
from trajectories.errors import UsageError

LARGEST = 74_000
"""Maximum number of bytes to copy; encoded in base64 they take 100 kB, the limit of most terminals."""
PATIENCE = 2.0
FILE = "copied.txt"
PICTURE_READERS = (
    ("wl-paste", "--type", "image/png"),
    ("wl-paste", "--type", "image/jpeg"),
    ("xclip", "-selection", "clipboard", "-target", "image/png", "-out"),
    ("xclip", "-selection", "clipboard", "-target", "image/jpeg", "-out"),
    ("pngpaste", "-"),
)
"""Commands that write the picture in the clipboard to their output."""
LARGEST_PICTURE = MOST_PICTURES * 3 // 4
"""Maximum number of bytes of a picture; encoded in base64, one is then within the limit for all pictures."""
PICTURE_PATIENCE = 5.0
"""Maximum number of seconds for each of these commands."""
FORMATS = ("png", "jpeg")
MAX_KEPT = 20
"""Maximum number of pictures that are kept; older ones are removed."""
DRAG_INSTEAD = "Drag a picture file into the prompt instead."


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


def save_picture(folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the PNG or JPEG picture in the clipboard to a file in `folder`, and return its path. Raises UsageError if
    there is none, if it is too large, or if no program can read it."""
    installed = [command for command in PICTURE_READERS if which(command[0], path=environment.get("PATH"))]
    if not installed:
        raise UsageError(
            "No program is installed that reads pictures from the clipboard: wl-paste, xclip or pngpaste.", DRAG_INSTEAD
        )
    data = next((data for command in installed if image_format(data := _output(command, environment)) in FORMATS), b"")
    if not data:
        raise UsageError("There is no PNG or JPEG picture in the clipboard.", DRAG_INSTEAD)
    if len(data) > LARGEST_PICTURE:
        raise UsageError(f"The picture has more than {LARGEST_PICTURE:,} bytes.", "Copy a smaller part of it.")
    file = folder / f"{sha256(data).hexdigest()[:12]}.{image_format(data)}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as opened:
            opened.write(data)
        for old in sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)[:-MAX_KEPT]:
            old.unlink()
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", DRAG_INSTEAD) from None
    return file


def _output(command: tuple[str, ...], environment: Mapping[str, str]) -> bytes:
    """Return the output of a command, at most one byte more than the limit; none if it fails."""
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            timer = Timer(PICTURE_PATIENCE, _kill, (process.pid,))
            timer.start()
            try:
                return process.stdout.read(LARGEST_PICTURE + 1)
            finally:
                timer.cancel()
                _kill(process.pid)
    except OSError:
        return b""


def _kill(group: int) -> None:
    """Kill a program, which may have finished, and what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
