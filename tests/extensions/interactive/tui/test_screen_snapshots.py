"""Snapshots of the session's screens, from 40 by 20 to 160 by 50.

`pytest tests/extensions/interactive/tui/test_screen_snapshots.py --snapshot-update` replaces them; review the result
before you commit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extensions.interactive.tui import approval_screen
from tests.extensions.interactive.tui.recorded_sessions import (
    RECORDED_SESSIONS,
    RecordedApp,
    wait_until_idle,
    write_runs,
)

pytestmark = pytest.mark.slow

SIZES = ((40, 20), (60, 24), (100, 30), (160, 50))
LIGHT = ("working", "approval", "diff", "plan")
DARK_CASES = [
    pytest.param(name, size, "dark", id=f"{name}-{size[0]}x{size[1]}") for name in RECORDED_SESSIONS for size in SIZES
]
LIGHT_CASES = [pytest.param(name, (100, 30), "light", id=f"{name}-100x30-light") for name in LIGHT]
ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all machines the same terminal, and make them answer keys regardless of their speed."""
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(("name", "size", "theme"), [*DARK_CASES, *LIGHT_CASES])
def test_screen_matches_snapshot(
    name: str, size: tuple[int, int], theme: str, snap_compare: Callable[..., bool], tmp_path: Path
) -> None:
    app = RecordedApp(RECORDED_SESSIONS[name], theme, write_runs(tmp_path))
    assert snap_compare(app, press=RECORDED_SESSIONS[name].press, terminal_size=size, run_before=wait_until_idle)
