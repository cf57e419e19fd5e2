"""The first request of a session and the run that it resumes, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.cli.command_line import run
from agent.run_state.proposed_tree import Proposal, proposal_note
from extensions.interactive.session.session_start import Start
from tests.agent.cli.test_command_line import complete
from tests.conftest import MakeRepo
from trajectories.journal import encode
from trajectories.records import Base, Issue, Run, Turn


class Opened:
    """The session that the command would open."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self.reads_stdin = True

    def open_session(self, prepare, screen, plain, reads_stdin) -> int:
        self.start, self.reads_stdin = prepare(()), reads_stdin
        return 0


@pytest.fixture
def opened(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A repository with a run, another repository with a newer run, and a session that is not opened."""
    root = make_repo({"a.py": "x = 1\n"})
    for name, repository in (("old", root), ("new", root), ("other", tmp_path / "other")):
        folder = tmp_path / "state" / "runs" / name
        folder.mkdir(parents=True)
        records = Run(name, Issue("It fails"), str(repository), Base("", "")), Turn("", "build")
        (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "local")
    monkeypatch.chdir(root)
    found = Opened()
    monkeypatch.setattr("extensions.interactive.commands.session.open_session", found.open_session)
    return found


@pytest.mark.parametrize(
    ("arguments", "request_text", "run_name"),
    [
        (["add a test"], "add a test", None),
        (["add a test", "--mode", "plan"], "add a test", None),
        (["--mode", "plan", "add a test"], "add a test", None),
        (["--", "test", "this"], "test this", None),
        (["--", "fix"], "fix", None),
        (["session", "add\ta test"], "add\ta test", None),
        (["-p", "why"], "why", None),
        (["-p", "/model"], "/model", None),
        (["-p", "/modest"], "/modest", None),
        (["--print", "why?", "--continue"], "why?", "new"),
        (["-c"], "", "new"),
        (["-c", "again"], "again", "new"),
        (["--resume", "old"], "", "old"),
        (["--resume", "old", "go on"], "go on", "old"),
        (["--resume"], "", None),
    ],
)
def test_session_starts_with_request(
    opened: Opened, arguments: list[str], request_text: str, run_name: str | None
) -> None:
    assert run(arguments) == 0
    assert opened.start is not None
    assert opened.start.request == request_text
    assert (opened.start.run.name if opened.start.run else None) == run_name
    assert opened.reads_stdin == (not {"-p", "--print"} & set(arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "plan", "fxi"], "It is not clear whether 'fxi' is a request. If so: swe-agent -- fxi."),
        (["session", "one", "two"], "swe-agent -- one two"),
        (["-p", "why", "now then"], "--print and another request"),
        (["-p", " "], "The request is empty."),
        (["-c", "--resume"], "--resume and --continue"),
        (["-p", "/mode plan"], "/mode only affects later requests, and --print has none. Use it in a session."),
        (["-p", " /quit "], "/quit only affects later requests"),
        (["-p", "/model opus"], "/model only affects later requests"),
        (["-p", "why", "--resume"], "--print cannot show a list of runs."),
    ],
)
def test_unclear_request_opens_no_session(
    opened: Opened, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert message in capsys.readouterr().err
    assert opened.start is None


def test_continue_skips_runs_of_prove(opened: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "runs" / "proof"
    folder.mkdir()
    run_record = Run("proof", Issue("It fails"), str(Path.cwd()), Base("", ""))
    note = proposal_note(Proposal("a patch", lambda trees: ""), "", None, ())
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, (run_record, Turn("", "proposed-patch"), note))))
    assert run(["-c"]) == 0
    assert opened.start is not None
    assert opened.start.run is not None
    assert opened.start.run.name == "new"


def test_continue_without_earlier_run_says_that_the_run_is_new(opened: Opened, make_repo: MakeRepo) -> None:
    assert run(["-c", "--repo", str(make_repo({"b.py": ""}))]) == 0
    assert opened.start is not None
    assert opened.start.run is None
    assert "There is no earlier run of" in opened.start.trouble[0]


def test_stdout_is_free_for_events(monkeypatch: pytest.MonkeyPatch, make_repo: MakeRepo) -> None:
    given: list[Any] = []
    monkeypatch.chdir(make_repo({}))
    monkeypatch.setattr(
        "extensions.interactive.commands.session.open_session", lambda *values, **_: given.extend(values) or 0
    )
    run(["session", "--events", "-"])
    run(["session"])
    plain = given[2::3]
    assert plain == [True, False], "a session reads lines instead of opening a screen"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("swe-agent --con", ["--continue"]),
        ("swe-agent --he", ["--help"]),
        ("swe-agent --workspace ", ["docker", "sandbox", "local"]),
        ("swe-agent --resume ", ["one"]),
        ("swe-agent session ", []),
        ("swe-agent se", ["session"]),
    ],
)
def test_options_of_session_are_completed(
    words: str,
    offered: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    records = Run("one", Issue("It fails"), "/shop", Base("", "")), Turn("", "build")
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))
    assert complete(words, monkeypatch, capsys) == offered
