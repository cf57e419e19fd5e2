"""Ownership of runs: the registry of own runs and the digests of their journals."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.lifecycle.run_lifecycle import reopen
from agent.run_state.run_ownership import ask_for_owner, record_answer, run_owner
from tests.agent.conftest import line
from trajectories.errors import UsageError
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.journal import encode, read


def test_run_with_changed_first_record_is_not_own(bench) -> None:
    bench.begin(line("x"))
    assert run_owner(bench.directory, bench.settings.state) == "user"
    first, *rest = read(bench.directory).records
    changed = [replace(first, settings=first.settings | {"test": "other"}), *rest]
    (bench.directory / "journal.jsonl").write_bytes(b"".join(map(encode, changed)))
    assert run_owner(bench.directory, bench.settings.state) == "other"


@pytest.mark.parametrize("is_users", [True, False])
def test_owner_of_moved_state_folder_is_requested_once(bench, tmp_path: Path, is_users: bool) -> None:
    bench.begin(line("x"))
    state = tmp_path / "elsewhere"
    bench.settings.state.rename(state)
    moved = state / "runs" / bench.directory.name
    assert run_owner(moved, state) == "unknown"
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        reopen(moved, state)
    record_answer(state, is_users)
    assert run_owner(moved, state) == ("user" if is_users else "other")
    if is_users:
        reopen(moved, state).close()


def test_owner_of_unregistered_runs_is_requested_once(bench) -> None:
    bench.begin(line("x"))
    state = bench.settings.state
    shutil.rmtree(state / "own-runs")
    assert run_owner(bench.directory, state) == "unknown"
    old = bench.directory
    bench.begin(line("x"))
    assert run_owner(bench.directory, state) == "user"
    assert run_owner(old, state) == "unknown"
    record_answer(state, is_users=False)
    assert run_owner(old, state) == "other"
    assert run_owner(bench.directory, state) == "user"


@pytest.mark.parametrize("named", [True, False])
def test_user_confirms_ownership_at_terminal(bench, monkeypatch, named: bool) -> None:
    bench.begin(line("x"))
    state = bench.settings.state
    shutil.rmtree(state / "own-runs")
    ask_for_owner(state, bench.directory if named else None)
    assert run_owner(bench.directory, state) == "unknown"
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    ask_for_owner(state, bench.directory if named else None)
    assert run_owner(bench.directory, state) == "user"
    ask_for_owner(state, bench.directory if named else None)  # a second question would find no input


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_registry_entry_writable_by_others_is_ignored(bench) -> None:
    bench.begin(line("x"))
    entry = next((bench.settings.state / "own-runs").glob("*.json"))
    entry.chmod(0o666)
    assert run_owner(bench.directory, bench.settings.state) == "other"


def test_folder_that_replaces_removed_run_is_not_own(bench, tmp_path: Path) -> None:
    bench.begin(line("x"))
    shutil.copytree(bench.directory, tmp_path / "sent")
    bench.directory.rename(tmp_path / "removed")
    shutil.copytree(tmp_path / "sent", bench.directory)
    assert run_owner(bench.directory, bench.settings.state) != "user"


def test_own_run_with_changed_journal_is_not_own(bench) -> None:
    """A changed copy was unpacked over the run: the folder and the first record stay the same."""
    bench.begin(line("x"))
    journal = bench.directory / "journal.jsonl"
    extra_turn = replace(read(bench.directory).turns[0], settings={"workspace": "local"})
    original = journal.read_bytes()
    journal.write_bytes(original + encode(extra_turn))
    assert run_owner(bench.directory, bench.settings.state) == "other"
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        reopen(bench.directory, bench.settings.state)
    journal.write_bytes(original + encode(extra_turn)[:-9])  # incomplete, as after a crash
    reopen(bench.directory, bench.settings.state).close()
    assert run_owner(bench.directory, bench.settings.state) == "user"


def test_changed_run_in_new_folder_stays_foreign(bench) -> None:
    bench.begin(line("x"))
    state, journal = bench.settings.state, bench.directory / "journal.jsonl"
    copied = shutil.copytree(bench.directory, state / "runs" / "sent-by-others")
    journal.write_bytes(journal.read_bytes() + encode(read(bench.directory).turns[0]))
    bench.directory.rename(state / "moved")
    shutil.copytree(state / "moved", bench.directory)
    assert run_owner(bench.directory, state) == "other"
    record_answer(state, is_users=True)
    assert run_owner(bench.directory, state) == "other"
    assert run_owner(copied, state) == "other", "the copy was never registered"


def test_tree_store_of_own_run_executes_no_hooks(bench, tmp_path: Path) -> None:
    bench.begin(line("x"))
    store, marker = bench.directory / "trees.git", tmp_path / "ran"
    (store / "config").write_text(f"[core]\n\tbare = true\n\tfsmonitor = touch {marker}\n")
    (store / "hooks").mkdir(exist_ok=True)
    (store / "hooks" / "post-index-change").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (store / "hooks" / "post-index-change").chmod(0o755)
    with Trees(store) as trees:
        tree = trees.write({"mödul ü.py": b"x", "a\tb": b"y"}, EMPTY_TREE)
        assert set(trees.files(tree)) == {"mödul ü.py", "a\tb"}
    assert not marker.exists()
