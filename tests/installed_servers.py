"""Real language servers for tests: of PATH, or those that `scripts/language-servers` downloads."""

from __future__ import annotations

import os
import shutil
import sys

import pytest


def use_server(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Put the folder with the downloaded servers into PATH. Skips the test if the program is not installed."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{sys.prefix}/language-servers/bin")
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
