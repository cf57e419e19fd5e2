"""What an event stream holds: the records of the journal once they are on disk, and progress between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from agent.conversation import model_requests
from agent.engine.run_events import current_stream
from agent.engine.task import Task
from agent.lifecycle.run_lifecycle import solve
from agent.run_state.progress_event import ProgressEvent
from extensions.events import schema
from extensions.events.event_lines import ProofLine, RecordLine, encode_line, progress_line
from extensions.events.event_stream import EventStream, open_events
from extensions.events.event_writer import EventWriter
from extensions.lab.batch.executors.ray import JournalFollower
from tests.agent.conftest import Bench, act, line
from trajectories.errors import UsageError, WorkspaceError
from trajectories.journal import Journal, encode, read
from trajectories.records import (
    Action,
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Once,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
)

LINES = Draft202012Validator(schema.schema())
DOCS = Path(__file__).parents[3] / "docs"
RUN = Run("r1", Issue("t"), "/r", Base("c", "t"))
RECORDS: tuple[Record, ...] = (
    RUN,
    Turn("fix", "react"),
    Hold("main", 1, 1, "m", 0.1, 100),
    Settle("main?1.1", Usage(100, 20), 0.1, "usage"),
    Reply("text", (Action("view", {"path": "a"}),), usage=Usage(100, 20), branch="main", ask=1),
    Step("main", 1, "", "coder", "t", 1, (Action("view", {"path": "a"}),), (Observation("seen"),)),
    Once("main", "localize", {"files": [1]}),
    Note("main", "phase", "patch"),
    Exit("unproven", 6),
)
PROGRESS = ("ask", "replied", "action", "output", "done", "failed", "say", "progress", "delta")
SECRET = "a-secret-of-this-test"
KEY = f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQ' * 20}\n{'abcd' * 16}\n-----END PRIVATE KEY-----\n"


class Written(EventWriter):
    """A writer that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[dict] = []

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.lines.append(json.loads(line))
        LINES.validate(self.lines[-1])

    def fail(self, why: str) -> None:
        pytest.fail(why)

    def close(self) -> None:
        pass

    @property
    def types(self) -> list[str]:
        return [line["type"] for line in self.lines]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def events_file(tmp_path: Path) -> Iterator[Path]:
    """A file that gets the events of this process during the test."""
    with open_events(str(tmp_path / "events.jsonl")):
        yield tmp_path / "events.jsonl"


def without_joined(line: bytes) -> dict:
    """Return a line of a journal without the mark that it was written together with the previous one."""
    return {name: value for name, value in json.loads(line).items() if name != "joined"}


def read_events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# The form


def test_schema_in_documentation_is_current() -> None:
    Draft202012Validator.check_schema(schema.schema())
    assert (DOCS / "events.schema.json").read_text("utf-8") == schema.text(), (
        "update it: python -m extensions.events.schema > docs/events.schema.json"
    )


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.type)
def test_every_record_matches_schema(record: Record, written: Written) -> None:
    EventStream(written).publish("r1", [record], 0)
    assert written.types == [record.type]
    assert written.lines[0]["record"] == json.loads(encode(record))


def test_every_type_of_record_is_tested() -> None:
    assert {type(record) for record in RECORDS} == set(get_args(Record))


@pytest.mark.parametrize("kind", PROGRESS)
@pytest.mark.parametrize("branch", ["main", "proof"])
def test_progress_matches_schema(kind: str, branch: str) -> None:
    made = progress_line(1.0, "r1", ProgressEvent(kind, branch, "text \ud800"), ())
    assert made is not None
    found = json.loads(encode_line(made))
    LINES.validate(found)
    assert (found["v"], list(found)[:2]) == (1, ["v", "type"])
    assert None not in found.values()


@pytest.mark.parametrize("text", ["\x9b31m \x7f \u202e \u2066 é 😀", "plain"])
def test_lines_are_ascii_since_a_terminal_may_show_them(text: str) -> None:
    note = Note("main", "message", text)
    for made in (RecordLine(at=1.0, run=text, type="note", record=note), ProofLine(at=1.0, run="r", text=text)):
        encoded = encode_line(made)
        assert encoded.isascii()
        assert b"\x7f" not in encoded
        found = json.loads(encoded)
        assert found.get("record", found)["text"] == text


@pytest.mark.parametrize(
    "line",
    [{}, {"v": 2, "type": "proof", "at": 1, "run": "r", "text": "t"}, {"v": 1, "type": "new", "at": 1, "run": "r"}, []],
)
def test_other_lines_do_not_match_schema(line: object) -> None:
    assert not LINES.is_valid(line)


def test_notes_are_not_progress_too() -> None:
    assert progress_line(1.0, "r1", ProgressEvent("phase", "main", "patch"), ()) is None


# Records


def test_new_run_is_published_from_its_first_record(written: Written) -> None:
    stream, known = EventStream(written), [RUN, Turn("fix", "react"), Note("main", "proposal", "p")]
    stream.publish("r1", known, 3)
    stream.publish("r1", known, 3)
    known.append(Note("main", "life", "begun"))
    stream.publish("r1", known, 3)
    assert written.types == ["run", "turn", "note", "note"]


def test_resumed_run_begins_with_run_and_last_turn(written: Written) -> None:
    stream = EventStream(written)
    known = [
        RUN,
        Turn("fix", "react"),
        Note("main", "life", "begun"),
        Turn("more", "build"),
        Note("main", "phase", "p"),
    ]
    stream.publish("r1", known, 5)
    assert [line["record"].get("request") for line in written.lines] == [None, "more"]
    stream.publish("r1", [*known, Note("main", "life", "resumed")], 6)
    assert written.types == ["run", "turn", "note"]


def test_job_of_batch_is_named_in_each_line(written: Written) -> None:
    stream = EventStream(written)
    stream.label("r1", "repo__1", 2)
    stream.publish("r1", [RUN], 1)
    stream.progress("r1", ProgressEvent("say", "main", "text"))
    stream.error("r1", 5, "It failed.")
    stream.error("", 2, "Nothing was started.")
    assert [(line.get("instance"), line.get("repeat")) for line in written.lines] == [("repo__1", 2)] * 3 + [
        (None, None)
    ]


def test_line_is_written_when_its_record_is_on_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, events_file: Path
) -> None:
    journal, checked = bench.begin(line("Look.", act("view", path="calc.py"))) / "journal.jsonl", []

    def check(self: EventWriter, data: bytes) -> None:
        found = json.loads(data)
        if "record" in found:
            assert found["record"] in map(without_joined, journal.read_bytes().splitlines())
            checked.append(found["type"])

    monkeypatch.setattr(EventWriter, "write", check)
    bench.drive(one_reply)
    assert checked == ["run", "turn", "step", "hold", "reply", "settle", "step"]


def one_reply(task: Task):
    yield task.say("Go.")
    reply = task.ask()
    yield task.step(reply, task.act(reply.actions))
    return task.best()


def test_stream_holds_progress_between_records(bench: Bench, events_file: Path) -> None:
    bench.begin(line("Look.", act("view", path="calc.py")))
    bench.drive(one_reply)
    current_stream().close()
    found = [line for line in read_events(events_file) if line["type"] != "progress"]
    assert [(line["type"], line.get("status")) for line in found[3:]] == [
        ("request", "started"),
        ("hold", None),
        ("reply", None),
        ("settle", None),
        ("request", "completed"),
        ("tool", "started"),
        ("tool", "completed"),
        ("step", None),
    ]
    assert [line["record"] for line in found if "record" in line] == [
        json.loads(encode(record)) for record in read(bench.directory).records
    ]


def test_run_without_stream_is_not_observed(bench: Bench) -> None:
    assert current_stream() is None
    bench.begin(line("Look.", act("view", path="calc.py")))
    bench.drive(one_reply)


def test_records_of_another_process_are_followed(tmp_path: Path, events_file: Path) -> None:
    journal, follower = Journal(tmp_path / "r1"), JournalFollower(tmp_path / "r1")
    journal.append(RUN, Turn("fix", "react"))
    follower.publish()
    journal.append(Note("main", "life", "begun"))
    with journal.path.open("ab") as file:
        file.write(b'{"incomplete')
    follower.publish()
    follower.publish()
    journal.close()
    (tmp_path / "r1" / "journal.jsonl").unlink()
    follower.publish()
    current_stream().close()
    assert [line["type"] for line in read_events(events_file)] == ["run", "turn", "note"]


def test_failure_of_the_stream_does_not_reach_the_run(
    bench: Bench, events_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("extensions.events.event_stream.encode_line", fail)
    bench.begin(line("Look.", act("view", path="calc.py")))
    bench.drive(one_reply)
    current_stream().close()
    assert len(read(bench.directory).steps["main"]) == 2
    err = capfd.readouterr().err
    assert err.count("Events are no longer written to") == 1
    assert "internal error: RuntimeError: a bug." in err


# Errors


def test_error_that_stops_run_is_a_line(bench: Bench, events_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin(line("Done.", act("submit")), strategy="react")

    def fail(*_: object) -> None:
        raise WorkspaceError("The daemon is gone.", "Start it.")

    monkeypatch.setattr("agent.lifecycle.run_lifecycle.Branch", fail)
    engine = bench.engine()
    with pytest.raises(WorkspaceError):
        list(solve(engine))
    engine.close()
    current_stream().close()
    last = read_events(events_file)[-1]
    del last["at"]
    run = bench.directory.name
    error = {"code": 5, "message": "The daemon is gone.", "fix": "Start it."}
    assert last == {"v": 1, "type": "error", "run": run, **error}


def test_error_before_any_run_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with pytest.raises(UsageError), open_events(str(file)):
        raise UsageError("There is no repository.", "Name one.")
    assert [(line["type"], line["run"], line["code"]) for line in read_events(file)] == [("error", "", 2)]


# Text of replies, and secrets


def test_text_of_replies_comes_on_request_and_in_whole_lines(written: Written) -> None:
    for deltas in (False, True):
        stream = EventStream(written, deltas)
        for kind, text in (
            ("ask", "coder"),
            ("delta", "I lo"),
            ("delta", "ok.\nThen"),
            ("delta", " more"),
            ("replied", ""),
        ):
            stream.progress("r1", ProgressEvent(kind, "main", text))
        assert [line["text"] for line in written.lines if line["type"] == "delta"] == [
            "I look.\n",
            "Then more",
        ] * deltas


def test_text_of_failed_request_is_not_mixed_with_next(written: Written) -> None:
    stream = EventStream(written, deltas=True)
    for kind, text in (("ask", ""), ("delta", "lost"), ("ask", ""), ("delta", "kept"), ("replied", "")):
        stream.progress("r1", ProgressEvent(kind, "main", text))
    assert [line["text"] for line in written.lines if line["type"] == "delta"] == ["kept"]


@pytest.mark.parametrize("secret", [SECRET, KEY, f"first-line-of-secret\n{SECRET}"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_secret_in_pieces_of_reply_is_masked(written: Written, secret: str, size: int) -> None:
    stream, text = EventStream(written, deltas=True), f"It is\n{secret}\nand {secret}"
    known = () if secret == KEY else (secret,)
    for start in range(0, len(text), size):
        stream.progress("r1", ProgressEvent("delta", "main", text[start : start + size]), known)
    stream.progress("r1", ProgressEvent("replied", "main", ""), known)
    shown = "".join(line["text"] for line in written.lines if line["type"] == "delta")
    assert shown.startswith("It is\n")
    assert not [line for line in secret.splitlines() if "KEY" not in line and line in shown]


def test_secrets_are_masked_as_in_journal(bench: Bench, monkeypatch: pytest.MonkeyPatch, events_file: Path) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    bench.begin(line(f"I saw {SECRET}.", act("view", path=SECRET)))
    bench.drive(one_reply)
    engine = bench.engine()
    engine.report("say", "main", f"Connecting to {SECRET}")
    engine.events.error(UsageError(f"Wrong: {SECRET}.", SECRET))
    engine.close()
    current_stream().close()
    text = events_file.read_text()
    assert SECRET not in text
    assert text.count("[masked]") >= 5


def test_stream_is_not_part_of_a_request() -> None:
    """Requests do not depend on whether events are written."""
    assert "events" not in Path(model_requests.__file__).read_text("utf-8")


def test_time_of_record_is_its_own(written: Written) -> None:
    EventStream(written).publish("r1", [replace(RUN, at=5.0)], 1)
    assert written.lines[0]["at"] == 5.0
