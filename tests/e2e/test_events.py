"""`--events` of the commands that work on runs, as processes."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.batch_setup import Batcher
from tests.e2e.conftest import TEST_CORE, Machine, answer, call
from tests.e2e.event_forms import form_lines
from trajectories.journal import encode, read

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "events.schema.json"
GOLDEN = Path(__file__).parent / "golden_events"
FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
LINES = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))


@pytest.fixture
def arguments(machine: Machine, calculator: Path, issue_file: str) -> tuple[object, ...]:
    """A `fix` that ends after one step, with a patch that is not proved."""
    model = machine.script(answer("Both.", FIX))
    options = ("--strategy", "react", "--max-steps", "1")
    return ("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, *options)


def events_of(text: str) -> list[dict]:
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        LINES.validate(line)
    return lines


def check_form(name: str, lines: list[dict]) -> None:
    """Compare the form of the lines with the golden file. Update it with SWE_AGENT_UPDATE_GOLDEN=1, and name in the
    changelog what changed."""
    file = GOLDEN / f"{name}.jsonl"
    if os.environ.get("SWE_AGENT_UPDATE_GOLDEN"):
        file.write_text(form_lines(lines), "utf-8")
    assert form_lines(lines) == file.read_text("utf-8")


def records_in(lines: list[dict]) -> list[dict]:
    return [line["record"] for line in lines if "record" in line]


def test_stdout_of_fix_has_its_form(machine: Machine, calculator: Path, issue_file: str) -> None:
    model = machine.script(answer("Both.", ADD_TEST, FIX, call("shell", command="echo done"), call("submit")))
    completed = machine.run(
        *("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--strategy", "react"),
        *("--events", "-"),
    )
    assert completed.returncode == 6, completed.stderr
    lines = events_of(completed.stdout)
    check_form("fix", lines)
    assert records_in(lines) == [json.loads(encode(record)) for record in read(machine.runs()[0]).records]
    assert "Plausible" in completed.stderr


def test_json_is_still_one_object(machine: Machine, arguments: tuple[object, ...]) -> None:
    events = machine.home / "events.jsonl"
    result = machine.json(*arguments, "--events", events)
    lines = events_of(events.read_text())
    assert {line["run"] for line in lines} == {result["run"]}
    assert (lines[-1]["type"], lines[-1]["record"]["code"]) == ("exit", 6)
    refused = machine.run(*arguments, "--events", "-", "--json")
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["error"]["message"] == "--json and `--events -` both write to stdout."


@pytest.mark.parametrize("command", ["head -n 3", "true"])
def test_consumer_that_closes_the_pipe_does_not_stop_the_run(
    machine: Machine, arguments: tuple[object, ...], command: str
) -> None:
    words = machine.command(*arguments, "--events", "-")
    with subprocess.Popen(command.split(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as consumer:
        completed = subprocess.run(
            words, env=machine.environment, stdout=consumer.stdin, stderr=subprocess.PIPE, text=True, timeout=100,
            check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        consumer.stdin.close()
    assert completed.returncode == 6, completed.stderr
    assert completed.stderr.count("Events are no longer written to stdout: Broken pipe.") == 1
    assert read(machine.runs()[0]).exit.kind == "limit"


def test_full_disk_does_not_stop_the_run(machine: Machine, arguments: tuple[object, ...]) -> None:
    result = machine.json(*arguments, "--events", "/dev/full")
    assert result["exit"] == 6
    assert result["stderr"].count("Events are no longer written to /dev/full") == 1


def test_later_commands_add_to_the_file(machine: Machine, arguments: tuple[object, ...]) -> None:
    events = machine.home / "events.jsonl"
    run = machine.json(*arguments, "--events", events)["run"]
    before = len(events.read_text().splitlines())
    forked = machine.json("fork", f"{run}@1", "--events", events)["run"]
    lines = events_of(events.read_text())[before:]
    assert {line["run"] for line in lines} == {forked}
    assert [line["type"] for line in lines[:2]] == ["run", "turn"]
    steps = [line["record"]["n"] for line in lines if line["type"] == "step"]
    assert steps[0] == 2, "older steps are not repeated"
    machine.json("resume", forked, "--events", events)
    assert len(events_of(events.read_text())) == before + len(lines), "an ended run has no events"


def test_error_before_a_run_is_an_event(machine: Machine) -> None:
    completed = machine.run("fix", "--text", "x", "--repo", machine.home / "nowhere", "--events", "-")
    assert completed.returncode == 2
    (line,) = events_of(completed.stdout)
    assert (line["type"], line["run"], line["code"]) == ("error", "", 2)
    assert line["message"] in completed.stderr


def test_session_prints_events_and_the_answer_elsewhere(machine: Machine, calculator: Path) -> None:
    model = machine.script(answer("It subtracts."))
    completed = machine.run("-p", "What does add do?", "--model", model, "--events", "-", cwd=calculator)
    assert completed.returncode == 0, completed.stderr
    lines = events_of(completed.stdout)
    check_form("session", lines)
    assert "It subtracts." in completed.stderr


def test_each_line_of_a_batch_names_its_instance(machine: Machine, tmp_path: Path) -> None:
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    batcher, events = Batcher(machine, tmp_path), tmp_path / "events.jsonl"
    gone = batcher.row(0, instance_id="people__gone-3", base_commit="0" * 40)
    batcher.write_rows(batcher.row(0), batcher.row(1), gone)
    model = machine.script(answer("Fix.", FIX))
    batcher.run(model, "--events", events, "--workers", 2, "--strategy", "react", "--max-steps", 1)
    lines = events_of(events.read_text())
    assert {(line["instance"], line["repeat"]) for line in lines} == {
        ("people__calc-0", 1),
        ("people__calc-1", 1),
        ("people__gone-3", 1),
    }
    assert all(line["run"] == line["instance"] for line in lines)
    ends = Counter((line["instance"], line["type"]) for line in lines if line["type"] in ("exit", "error"))
    assert ends["people__calc-0", "exit"] == ends["people__calc-1", "exit"] == 1
    assert ends["people__gone-3", "error"] == 1
    of_first = [line for line in lines if line["instance"] == "people__calc-0"]
    check_form("batch", of_first)
    run = batcher.out / "runs" / "people__calc-0"
    assert records_in(of_first) == [json.loads(encode(record)) for record in read(run).records]
