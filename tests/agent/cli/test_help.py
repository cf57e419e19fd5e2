"""The help of each subcommand."""

from __future__ import annotations

import re

import pytest

from agent.cli.command_line import GROUPS, OTHER, build_command_line, run


@pytest.mark.parametrize("name", ["", *build_command_line().list_commands(None)])
def test_help_shows_no_value_type_for_flags(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([*([name] if name else []), "--help"]) == 0
    output = capfd.readouterr().out
    assert "bool" not in output
    assert re.search(r"--help +-h +Show this message", output)
    assert "None" not in output


def test_help_lists_commands_in_groups(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["-h"]) == 0
    output = capfd.readouterr().out
    headings = [line.split()[1:-1] for line in output.splitlines() if line.startswith("╭")]
    commands = build_command_line().list_commands(None)
    groups = {group: [name for name in members if name in commands] for group, members in GROUPS.items()}
    groups = {group: members for group, members in groups.items() if members}
    others = [OTHER] if set(commands) - {name for members in groups.values() for name in members} else []
    assert [" ".join(words).rstrip("─ ") for words in headings] == ["Options", *groups, *others]
    for group, members in groups.items():
        listed = output.partition(f"─ {group} ─")[2].partition("╰")[0]
        assert re.findall(r"^│ (\w+) ", listed, re.MULTILINE) == members, "each in one line"
    introduction = output.partition("╭")[0]
    assert [introduction.count(f" swe-agent {words}") for words in ('"', "fix ", "doctor ")] == [1, 1, 1]
