"""Consumers that close, stall or have no room: the work goes on, and one line on stderr says that events stopped."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from agent.engine.run_events import current_stream
from extensions.events import event_writer
from extensions.events.event_stream import open_events
from extensions.events.event_writer import EventWriter
from tests.conftest import MakeRepo
from trajectories.errors import UsageError

LINE = b"x" * 999 + b"\n"


def test_closed_pipe_is_reported_once(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    writer = EventWriter(theirs, "stdout")
    for _ in range(100):
        writer.write(LINE)
    writer.close()
    os.close(theirs)
    assert capfd.readouterr().err == (
        "swe-agent: Events are no longer written to stdout: Broken pipe. "
        "The work is not affected, and the journal has all records.\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_reported_once(capfd: pytest.CaptureFixture[str]) -> None:
    with open_events("/dev/full"):
        for _ in range(3):
            current_stream().error("r", 1, "It failed.")
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "/dev/full: No space left on device." in err


def test_consumer_that_stops_reading_delays_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "MOST_PENDING", 1 << 20)
    ours, theirs = os.pipe()
    writer = EventWriter(theirs, "stdout")
    for _ in range(2000):
        writer.write(LINE)  # the test's time limit ends it if this blocks
    writer.close()
    assert "they are read too slowly" in capfd.readouterr().err
    os.close(ours)
    os.close(theirs)


def test_close_gives_up_if_nothing_is_read(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_writer, "PATIENCE", 0.1)
    ours, theirs = os.pipe()
    writer = EventWriter(theirs, "stdout")
    for _ in range(200):
        writer.write(LINE)
    writer.close()
    assert "nothing reads them" in capfd.readouterr().err
    os.close(ours)
    os.close(theirs)


def test_blocked_stderr_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked, ours = threading.Event(), os.pipe()

    class Stderr:
        def write(self, text: str) -> None:
            blocked.wait()

        def flush(self) -> None:
            pass

    monkeypatch.setattr(event_writer, "MOST_PENDING", 1)
    monkeypatch.setattr(event_writer.sys, "stderr", Stderr())
    writer = EventWriter(ours[1], "stdout")
    writing = threading.Thread(target=lambda: [writer.write(LINE) for _ in range(2)], daemon=True)
    writing.start()
    writing.join(20)
    still = writing.is_alive()
    blocked.set()
    writer.close()
    for each in ours:
        os.close(each)
    assert not still


def test_slow_consumer_gets_every_line() -> None:
    ours, theirs = os.pipe()
    writer = EventWriter(theirs, "stdout")
    for number in range(2000):
        writer.write(b"%d %s" % (number, LINE))
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(ours)))
    reader.start()
    writer.close()
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert [int(line.split()[0]) for line in got[0].splitlines()] == list(range(2000))


def test_lines_are_added_to_file_after_an_incomplete_one(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"v":1}\n{"v":1,"ty')
    with open_events(str(file)):
        current_stream().error("r", 1, "It failed.")
    first, torn, last = file.read_bytes().splitlines()
    assert (first, torn) == (b'{"v":1}', b'{"v":1,"ty')
    assert b'"type":"error"' in last


def test_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with open_events(str(tmp_path / "events.jsonl")):
        pass
    assert stat.S_IMODE((tmp_path / "events.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", [".", "missing/events.jsonl", "x" * 300])
def test_file_that_cannot_be_opened_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="Events cannot be written to"), open_events(str(tmp_path / name)):
        pytest.fail("not reached")


@pytest.mark.parametrize("name", ["events.jsonl", "docs/../events.jsonl", "link.jsonl", "tracked.jsonl"])
def test_file_of_repository_is_refused(make_repo: MakeRepo, tmp_path: Path, name: str) -> None:
    root = make_repo({".gitignore": "tracked.jsonl\n", "docs/a.md": "", "tracked.jsonl": "x"})
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "link.jsonl").symlink_to(root / "events.jsonl")
    target = (folder if name == "link.jsonl" else root) / name
    with (
        pytest.raises(UsageError, match="would be one of the files of the repository") as error,
        open_events(str(target)),
    ):
        pytest.fail("not reached")
    assert error.value.fix == "Give a file outside it, or one that git ignores."
    assert not (root / "events.jsonl").exists()


@pytest.mark.parametrize("name", ["ignored/events.jsonl", ".git/events.jsonl", "link.jsonl"])
def test_file_that_no_run_starts_from_may_be_in_repository(make_repo: MakeRepo, tmp_path: Path, name: str) -> None:
    root = make_repo({".gitignore": "ignored/\n", "a.py": ""})
    (root / "ignored").mkdir()
    (root / "link.jsonl").symlink_to(tmp_path / "events.jsonl")
    with open_events(str(root / name)):
        current_stream().error("r", 1, "It failed.")
    assert (root / name).read_bytes().count(b"\n") == 1


def test_file_of_opened_folder_without_git_is_refused(tmp_path: Path) -> None:
    target = str(tmp_path / "events.jsonl")
    with pytest.raises(UsageError, match="would be one of the files of"), open_events(target, folder=str(tmp_path)):
        pytest.fail("not reached")
    (tmp_path / "sub").mkdir()
    with open_events(target, folder=str(tmp_path / "sub")):
        pass


def test_pipe_without_a_reader_is_a_usage_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="nothing reads this pipe"), open_events(str(tmp_path / "pipe")):
        pytest.fail("not reached")


def test_pipe_with_a_reader_gets_every_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with open_events(str(tmp_path / "pipe")):
        os.set_blocking(reader, True)
        for _ in range(3000):
            current_stream().error("r", 1, "It failed.")
        reading = threading.Thread(target=lambda: got.append(read_all(reader)))
        got: list[bytes] = []
        reading.start()
    reading.join()
    os.close(reader)
    assert got[0].count(b"\n") == 3000


def read_all(descriptor: int) -> bytes:
    got = bytearray()
    while data := os.read(descriptor, 1 << 16):
        got.extend(data)
    return bytes(got)


def test_stdout_has_only_events(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before\n")
    with open_events("-"):
        os.write(1, b"a result\n")
        current_stream().error("r", 1, "It failed.")
    os.write(1, b"after\n")
    captured = capfd.readouterr()
    before, event, after = captured.out.splitlines()
    assert (before, after) == ("before", "after")
    assert event.startswith('{"v":1,"type":"error"')
    assert captured.err == "a result\n"
