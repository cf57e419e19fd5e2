"""Hooks written as shell scripts in the test."""

from __future__ import annotations

import json
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


def rejecting(tmp_path: Path, word: str, reason: str) -> str:
    """Return the lines of a hook that counts its calls and rejects what contains `word`."""
    return f"echo >> {tmp_path}/asked\nif grep -q {word}; then echo '{reason}' >&2; exit 2; fi"


def asked(tmp_path: Path) -> int:
    file = tmp_path / "asked"
    return len(file.read_text()) if file.exists() else 0


@pytest.fixture
def told(tmp_path: Path, make_hook: MakeHook) -> Callable[[], list[dict]]:
    """`told.hook` keeps what it is given; `told()` returns it."""
    file = tmp_path / "told.jsonl"

    def read_told() -> list[dict]:
        return [json.loads(each) for each in file.read_text().splitlines()] if file.exists() else []

    read_told.hook = make_hook(f"cat >> {file}; echo >> {file}")  # type: ignore[attr-defined]
    return read_told
