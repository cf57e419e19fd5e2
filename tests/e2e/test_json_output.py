"""The JSON output of commands that read: its keys are those of docs/reference/json.md, which `Machine.json` checks."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Machine
from tests.e2e.json_reference import check_keys, documented_keys

COMMANDS = (
    ("config", "show"),
    ("config", "get", "budget"),
    ("strategies",),
    ("runs",),
    ("memory", "list"),
    ("experience", "list"),
    ("env", "why"),
)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_keys_are_documented(machine: Machine, calculator: Path, command: tuple[str, ...]) -> None:
    assert documented_keys().keys() & {command[0], " ".join(command[:2])}
    assert "error" not in machine.json(*command, cwd=calculator)


def test_key_that_is_not_documented_is_found() -> None:
    with pytest.raises(AssertionError, match="surplus"):
        check_keys(("runs",), {"runs": [], "surplus": 1})
    with pytest.raises(AssertionError, match="runs"):
        check_keys(("runs",), {})
