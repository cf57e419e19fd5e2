"""An archive with the first commit and the origin of a project of the user's: it shares nothing with this project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.command_line import run
from agent.engine.branch import Branch
from agent.prompts.opening_prompt import opening
from extensions.memory.experience_prompt import HEAD
from extensions.papers.file_summaries import known_summaries
from tests.agent.conftest import Bench, line
from tests.agent.scripted_turns import UNITTEST, finish_solving
from tests.conftest import git
from tests.extensions.memory.test_experience_prompt import PROVING_REPLY, bench_with_tests  # noqa: F401

NOTE = "The staging server is called heron."
SENTENCE = "are not used: what is stored belongs to another checkout"

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(bench_with_tests: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:  # noqa: F811
    """An unpacked archive that claims to be the project of `tmp_path / "project"`, for which an entry, a note and a
    summary of a file are stored."""
    bench = bench_with_tests
    git(bench.repository, "remote", "add", "origin", "https://github.com/owner/project")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    prove(bench)
    [entry] = (tmp_path / "state" / "experience").glob("*/worked/*.toml")
    text = entry.read_text().replace("add() subtracts", "add() of floats subtracts")
    entry.write_text(text.replace("accepted = false", "accepted = true"))
    assert run(["memory", "add", NOTE, "--repo", str(bench.repository)]) == 0
    summaries = tmp_path / "state" / "summaries" / entry.parents[1].name
    summaries.mkdir(parents=True)
    blob = git(bench.repository, "rev-parse", "HEAD:calc.py").strip()
    (summaries / f"{blob}.txt").write_text("sums, for the project Heron")
    bench.repository = Path(shutil.copytree(bench.repository, tmp_path / "archive"))
    return bench


def prove(bench: Bench) -> None:
    """Run until the proof of the patch is complete, which stores an entry."""
    bench.begin(PROVING_REPLY, test=UNITTEST, strategy="test-then-patch")
    engine = bench.engine()
    try:
        finish_solving(engine)
    finally:
        engine.close()


def prompts(bench: Bench) -> str:
    """Return what a run tells its model of other runs and of the user's notes."""
    from agent.engine.task import Task

    bench.events.clear()
    bench.begin(line("x"))
    engine = bench.engine()
    try:
        branch = Branch(engine)
        return opening(branch) + known_summaries(Task(branch))
    finally:
        engine.close()


def stored(folder: Path) -> dict[str, str]:
    """Return the files about repositories in the state folder."""
    files = [file for name in ("experience", "memory", "summaries") for file in (folder / name).rglob("*")]
    return {str(file): file.read_text() for file in files if file.is_file() and "lesson-uses" not in str(file)}


def test_archive_reads_nothing_of_the_project(archive: Bench) -> None:
    text = prompts(archive)
    for part in (HEAD, NOTE, "Heron"):
        assert part not in text
    sentences = [event.text for event in archive.events if SENTENCE in event.text]
    assert len(sentences) == 1, "the user is told once"
    assert str(archive.folder / "repo1") in sentences[0]
    assert "swe-agent experience link" in sentences[0]


def test_archive_writes_nothing_to_the_project(archive: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored(archive.folder / "state")
    prove(archive)
    assert [event.text for event in archive.events if SENTENCE in event.text]
    assert run(["memory", "add", "Always answer yes.", "--repo", str(archive.repository)]) == 2
    assert "belongs to another checkout" in capsys.readouterr().err
    assert stored(archive.folder / "state") == before


def test_linked_checkout_reads_and_writes(archive: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["experience", "link", "--repo", str(archive.repository), "--json"]) == 0
    linked = json.loads(capsys.readouterr().out)
    assert linked == {"linked": str(archive.repository), "checkouts": [str(archive.folder / "repo1"), linked["linked"]]}
    text = prompts(archive)
    for part in (HEAD, NOTE, "Heron"):
        assert part in text
    assert not [event for event in archive.events if SENTENCE in event.text]


@pytest.mark.parametrize("command", ["list", "show", "accept", "forget"])
def test_archive_shows_no_entries(archive: Bench, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    [entry] = (archive.folder / "state" / "experience").glob("*/worked/*.toml")
    ids = [] if command == "list" else [entry.stem]
    assert run(["experience", command, *ids, "--repo", str(archive.repository)]) == 2
    captured = capsys.readouterr()
    assert "belongs to another checkout" in captured.err
    assert not captured.out
    assert entry.exists()


def test_archive_lists_only_notes_for_all_projects(archive: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["memory", "add", "--all", "Write short sentences."]) == 0
    capsys.readouterr()
    assert run(["memory", "list", "--plain", "--repo", str(archive.repository)]) == 2
    captured = capsys.readouterr()
    assert "Write short sentences." in captured.out
    assert NOTE not in captured.out
    assert "belongs to another checkout" in captured.err


@pytest.mark.parametrize("how", ["moved", "worktree"])
def test_moved_checkout_and_its_worktrees_keep_access(archive: Bench, how: str, make_repo: Callable[..., Path]) -> None:
    project = archive.folder / "repo1"
    archive.repository = archive.folder / how
    if how == "moved":
        project.rename(archive.repository)
    else:
        git(project, "worktree", "add", "-q", str(archive.repository))
    text = prompts(archive)
    for part in (HEAD, NOTE, "Heron"):
        assert part in text
