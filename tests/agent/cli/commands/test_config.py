"""`swe-agent config` in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.commands.config import command


def test_values_in_pipe_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    test = f"python -m pytest {'tests/a-long-name ' * 20}-q"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWE_AGENT_TEST", test)
    monkeypatch.setenv("COLUMNS", "40")
    assert command() == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("test ")]
    assert rows == [f"test            {test}  Test command; by default, it is detected. From $SWE_AGENT_TEST."]
