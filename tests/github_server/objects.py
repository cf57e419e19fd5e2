"""Running git in the fake server's bare repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def git(folder: Path, *args: str, check: bool = True, input: bytes | None = None) -> str:
    """Return git's output, or "" if it fails and `check` is false."""
    process = subprocess.run(
        ["git", "-C", str(folder), *args],
        env={**os.environ, **ENV},
        input=input,
        capture_output=True,
        check=check,
        timeout=60,
    )
    return process.stdout.decode("utf-8", "replace") if process.returncode == 0 else ""
