"""The help of each subcommand."""

from __future__ import annotations

import re

import pytest

from agent.cli.command_line import build_command_line, run


@pytest.mark.parametrize("name", ["", *build_command_line().list_commands(None)])
def test_help_shows_no_value_type_for_flags(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([*([name] if name else []), "--help"]) == 0
    output = capfd.readouterr().out
    assert "bool" not in output
    assert re.search(r"--help +Show this message", output)
    assert "None" not in output
