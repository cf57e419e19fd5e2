"""`swe-agent memory`: facts are listed, added, edited and forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.command_line import run
from extensions.memory.user_memory import MemoryFile
from tests.conftest import git


@pytest.fixture
def state(make_repo: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder, with the current directory in a repository."""
    monkeypatch.chdir(make_repo({"a.py": "x = 1\n"}))
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def run_memory(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run(["memory", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_facts_are_added_listed_and_forgotten(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_memory(capsys, "--plain")[0].count("     nothing\n") == 2
    assert "Remembered: No tabs. (" in run_memory(capsys, "add", "No", "tabs.")[1]
    added = json.loads(run_memory(capsys, "add", "--all", "[bold]Short[/bold]", "--json")[0])
    assert (added["added"]["text"], added["file"]) == ("[bold]Short[/bold]", str(state / "memory" / "all-projects.md"))
    lines = [line for line in run_memory(capsys, "--plain")[0].splitlines() if line.startswith("  1. ")]
    assert [line.partition(" (")[0] for line in lines] == ["  1. No tabs.", "  1. [bold]Short[/bold]"]
    listed = json.loads(run_memory(capsys, "list", "--json")[0])["files"]
    assert [(each["all"], [fact["source"] for fact in each["facts"]]) for each in listed] == [
        (False, ["command line"]),
        (True, ["command line"]),
    ]
    assert "Forgotten: No tabs. (" in run_memory(capsys, "forget", "1")[1]
    assert json.loads(run_memory(capsys, "--json")[0])["files"][0]["facts"] == []


def test_file_is_edited_in_editor(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\necho "- Edited." >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))
    assert "all-projects.md has 1 facts." in run_memory(capsys, "edit", "--all")[1]
    assert [fact.text for fact in MemoryFile(state).facts()] == ["Edited."]
    monkeypatch.setenv("EDITOR", "false")
    assert "ended with exit code 1" in run_memory(capsys, "edit", "--all", code=2)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add"], "`memory add` takes the fact to remember."),
        (["list", "x"], "`memory list` takes no text."),
        (["forget", "x"], "'x' is not the number of a fact."),
        (["forget", "7"], "has no fact 7."),
        (["add", "w" * 501], "A fact has at most 500 characters"),
    ],
)
def test_wrong_arguments_report_one_sentence(
    state: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in run_memory(capsys, *arguments, code=2)[1]


def test_broken_file_is_reported_beside_the_other(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_memory(capsys, "add", "No tabs.")
    (state / "memory" / "all-projects.md").write_bytes(b"\xff")
    out, err = run_memory(capsys, "--plain", code=3)
    assert "No tabs." in out
    assert "all-projects.md is not used: it is not UTF-8. Save it as UTF-8." in err


def test_shallow_clone_has_only_facts_for_all_projects(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(Path.cwd(), "commit", "-q", "--allow-empty", "-m", "The second commit")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{Path.cwd()}", "shallow")
    repo = ["--repo", str(tmp_path / "shallow")]
    assert "Give --all to use the file for all projects." in run_memory(capsys, "add", "Short.", *repo, code=2)[1]
    run_memory(capsys, "add", "--all", "Short.", *repo)
    assert [each["all"] for each in json.loads(run_memory(capsys, "--json", *repo)[0])["files"]] == [True]
