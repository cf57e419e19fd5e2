"""Hooks written as shell scripts in the test."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

MakeHook = Callable[[str], str]


@pytest.fixture
def make_hook(tmp_path: Path) -> MakeHook:
    """`make_hook("exit 2")` returns the path of an executable shell script with these lines."""
    numbers = count(1)

    def make(lines: str) -> str:
        path = tmp_path / f"hook{next(numbers)}"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return make


def write_hooks(config: Path, **hooks: str) -> None:
    """Write the user's config with one hook for each event."""
    tables = [f'[[hooks.{event}]]\ncommand = ["{command}"]\ntimeout = 10\n' for event, command in hooks.items()]
    config.write_text("\n".join(tables))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
