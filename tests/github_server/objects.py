"""Git, as the stand-in asks it about its bare repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def git(folder: Path, *args: str, check: bool = True, input: bytes | None = None) -> str:
    """What git prints; "" where it fails and need not succeed."""
    done = subprocess.run(
        ["git", "-C", str(folder), *args],
        env={**os.environ, **ENV},
        input=input,
        capture_output=True,
        check=check,
        timeout=60,
    )
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
