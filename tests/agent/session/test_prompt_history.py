"""What was typed is kept: by repository, whole, capped, without secrets, by two sessions at once."""

from multiprocessing import get_context

import pytest

from agent.session import prompt_history
from agent.session.prompt_history import History


@pytest.fixture
def places(tmp_path):
    return tmp_path / "state", tmp_path / "repo"


def test_entries_outlive_session(places):
    first = History(*places)
    first.add("one")
    first.add("two\nlines ü")
    first.add("two\nlines ü")
    first.add("  ")
    assert list(History(*places).entries) == ["one", "two\nlines ü"]
    assert list(History(places[0], places[0]).entries) == []


def test_only_owner_may_read_it(places):
    History(*places).add("one")
    (file,) = (places[0] / "history").glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("words", ["export KEY=sk-ant-api03-" + "a1B2" * 20, "my password is hunter2-hunter2"])
def test_secrets_are_not_kept(places, words, monkeypatch):
    monkeypatch.setenv("THE_PASSWORD", "hunter2-hunter2")
    first = History(*places)
    first.add(words)
    assert list(first.entries) == []
    assert not (places[0] / "history").exists()


def test_torn_line_is_left_out(places):
    History(*places).add("one")
    (file,) = (places[0] / "history").glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'"tor')
    History(*places).add("two")
    assert list(History(*places).entries) == ["one", "two"]


def test_file_is_capped(places, monkeypatch):
    monkeypatch.setattr(prompt_history, "MOST", 3)
    first = History(*places)
    for number in range(8):
        first.add(str(number))
    assert len(History(*places).entries) <= 2 * prompt_history.MOST
    assert History(*places).entries[-1] == "7"


def test_state_that_cannot_be_written_is_no_reason_to_stop(places):
    places[0].write_text("a file")
    first = History(*places)
    first.add("one")
    assert list(first.entries) == ["one"]


def add_many(places, name):
    own = History(*places)
    for number in range(20):
        own.add(f"{name} {number}")


@pytest.mark.slow
def test_two_processes_lose_nothing_of_each_other(places):
    context = get_context("spawn")
    processes = [context.Process(target=add_many, args=(places, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    entries = History(*places).entries
    assert sorted(entries) == sorted(f"{name} {number}" for name in ("a", "b") for number in range(20))
    assert [entry for entry in entries if entry.startswith("a")] == [f"a {number}" for number in range(20)]
