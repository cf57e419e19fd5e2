"""`swe-agent count`, as a user starts it."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Machine

pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
def test_command_is_counted_as_it_is(machine: Machine) -> None:
    found = machine.json("count", "--repeat", "2", "--json", "--", "sh", "-c", "echo heard; exit 3")
    assert found["returncode"] == 0
    assert len(found["counts"]) == 2
    assert min(found["counts"]) > 10_000
    assert found["spread"] == (max(found["counts"]) - min(found["counts"])) / min(found["counts"]) < 0.01
    assert found["exits"] == [3, 3]
    assert found["backend"] in ("hardware", "valgrind")
    assert {"tool", "child processes", "address randomisation", "hash seed"} <= set(found["conditions"])
    assert found["stderr"].count("heard") == 2, "the command's output is not the answer's"


@pytest.mark.slow
def test_more_work_is_more_instructions_and_person_reads_which(machine: Machine) -> None:
    ran = machine.run("count", "--", "sh", "-c", "echo heard")
    assert ran.returncode == 0
    assert "heard" in ran.stdout
    assert " instructions (" in ran.stdout
    assert "address randomisation" in ran.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "nosuchcommand"], "There is no command 'nosuchcommand'."),
        ([], "Missing argument"),
        (["--repeat", "0", "--", "true"], "greater than or equal to 1"),
    ],
)
def test_bad_input_is_one_clear_sentence(machine: Machine, words: list[str], said: str) -> None:
    ran = machine.run("count", *words)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
