"""The prompt history: one per repository, limited, without secrets, shared by parallel sessions."""

from multiprocessing import get_context

import pytest

from extensions.interactive.session.prompt_input import prompt_history
from extensions.interactive.session.prompt_input.prompt_history import History


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "state", tmp_path / "repo"


def test_entries_are_kept_per_repository(folders):
    history = History(*folders)
    history.add("one")
    history.add("two\nlines ü")
    history.add("two\nlines ü")
    history.add("  ")
    assert list(History(*folders).entries) == ["one", "two\nlines ü"]
    assert list(History(folders[0], folders[0]).entries) == []


def test_history_is_readable_only_by_its_owner(folders):
    History(*folders).add("one")
    (file,) = (folders[0] / "history").glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("prompt", ["export KEY=sk-ant-api03-" + "a1B2" * 20, "my password is hunter2-hunter2"])
def test_prompts_with_secrets_are_not_stored(folders, prompt, monkeypatch):
    monkeypatch.setenv("THE_PASSWORD", "hunter2-hunter2")
    history = History(*folders)
    history.add(prompt)
    assert list(history.entries) == []
    assert not (folders[0] / "history").exists()


def test_incomplete_line_is_skipped(folders):
    History(*folders).add("one")
    (file,) = (folders[0] / "history").glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'"tor')
    History(*folders).add("two")
    assert list(History(*folders).entries) == ["one", "two"]


def test_history_file_is_limited(folders, monkeypatch):
    monkeypatch.setattr(prompt_history, "MOST", 3)
    history = History(*folders)
    for number in range(8):
        history.add(str(number))
    assert len(History(*folders).entries) <= 2 * prompt_history.MOST
    assert History(*folders).entries[-1] == "7"


def test_unwritable_history_is_kept_in_memory(folders):
    folders[0].write_text("a file")
    history = History(*folders)
    history.add("one")
    assert list(history.entries) == ["one"]


def add_many(folders, name):
    history = History(*folders)
    for number in range(20):
        history.add(f"{name} {number}")


@pytest.mark.slow
def test_parallel_processes_lose_no_entries(folders):
    context = get_context("spawn")
    processes = [context.Process(target=add_many, args=(folders, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    entries = History(*folders).entries
    assert sorted(entries) == sorted(f"{name} {number}" for name in ("a", "b") for number in range(20))
    assert [entry for entry in entries if entry.startswith("a")] == [f"a {number}" for number in range(20)]
