"""`swe-agent count` as a process."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Machine

pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
def test_command_is_counted(machine: Machine) -> None:
    result = machine.json("count", "--repeat", "2", "--json", "--", "sh", "-c", "echo heard; exit 3")
    assert result["returncode"] == 0
    assert len(result["counts"]) == 2
    assert min(result["counts"]) > 10_000
    assert result["spread"] == (max(result["counts"]) - min(result["counts"])) / min(result["counts"]) < 0.01
    assert result["exits"] == [3, 3]
    assert result["backend"] in ("hardware", "valgrind")
    assert {"tool", "child processes", "address randomisation", "hash seed"} <= set(result["conditions"])
    assert result["stderr"].count("heard") == 2, "the command's output is not in the JSON result"


@pytest.mark.slow
def test_plain_output_shows_instructions_and_conditions(machine: Machine) -> None:
    completed = machine.run("count", "--", "sh", "-c", "echo heard")
    assert completed.returncode == 0
    assert "heard" in completed.stdout
    assert " instructions (" in completed.stdout
    assert "address randomisation" in completed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "nosuchcommand"], "There is no command 'nosuchcommand'."),
        ([], "Missing argument"),
        (["--repeat", "0", "--", "true"], "greater than or equal to 1"),
    ],
)
def test_bad_input_is_reported(machine: Machine, arguments: list[str], message: str) -> None:
    completed = machine.run("count", *arguments)
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
