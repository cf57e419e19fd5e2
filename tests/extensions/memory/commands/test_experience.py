"""`swe-agent experience`: lists, shows, accepts and forgets entries, and reports a mistake in one sentence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aci.history.repository_identity import find_identity
from aci.repository.user_repository import Repository
from agent.cli.command_line import run
from agent.run_state.checkouts import claim_stored
from extensions.memory.experience_bank import Bank, Entry
from extensions.memory.lesson_search import record_use
from extensions.memory.run_lessons import open_bank
from tests.conftest import git

HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold]title[/bold]\r\n\u202e"
UNTRUSTED = Entry(
    id="run-2",
    outcome="failed",
    run="run-2",
    issue="Totals are wrong",
    author="mallory",
    trust="stranger",
    ended="unproven",
    symptom="Totals are wrong",
    places=("shop/basket.py:Basket.total",),
    kinds=("what is returned is changed",),
    dead_ends=("shop/basket.py:Basket.total: its test still fails with the patch",),
)
TRUSTED = replace(
    UNTRUSTED, id="run-1", outcome="worked", issue="Days are left out", trust="user", symptom="", accepted=True, at=9.0
)


@pytest.fixture
def bank(make_repo: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    """The experience bank of the repository in the current directory."""
    folder = make_repo({"a.py": "x = 1\n"})
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    source = Repository.open(folder)
    identity = find_identity(source, source.commit())
    assert identity is not None
    claim_stored(tmp_path / "state", source, identity)
    return open_bank(tmp_path / "state", identity)


def run_experience(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run(["experience", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_empty_bank_lists_no_entries(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no experience yet" in run_experience(capsys, "list", "--plain")[0]
    assert json.loads(run_experience(capsys, "--json")[0]) == {"folder": str(bank.folder), "entries": [], "trouble": []}


def test_list_shows_newest_first_and_searches(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(TRUSTED)
    bank.add(UNTRUSTED)
    lines = run_experience(capsys, "--plain")[0].splitlines()
    assert [line.split()[0] for line in lines] == ["id", "run-1", "run-2"]
    assert "not accepted" in lines[2]
    assert "waits" not in lines[1]
    ids = [
        entry["id"]
        for entry in json.loads(run_experience(capsys, "list", "--search", "Basket totals", "--json")[0])["entries"]
    ]
    assert ids == ["run-2"]
    assert "No entry matches." in run_experience(capsys, "list", "--search", "moon", "--plain")[0]


def test_entry_is_shown_accepted_and_forgotten(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(UNTRUSTED)
    output = run_experience(capsys, "show", "run", "--plain")[0]
    for part in ("mallory", "stranger", "not accepted: ", "its test still fails with the patch"):
        assert part in output
    assert "run-2 is accepted" in run_experience(capsys, "accept", "run-2")[1]
    assert bank.named("run-2").accepted
    assert json.loads(run_experience(capsys, "forget", "run-2", "--json")[0]) == {"forgotten": ["run-2"]}
    assert not bank


def test_lesson_is_shown_with_its_score(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(replace(TRUSTED, cause="It subtracts.", misled="The names."))
    assert (
        "Lesson (score 0.50, shown to 0 runs):\n  Cause: It subtracts.\n  Misled: The names.\n"
        in (run_experience(capsys, "show", "run-1", "--plain")[0])
    )
    for number in range(3):
        record_use(bank.folder.parent, f"use-{number}", [f"{bank.folder.name}/run-1"], helped=False, at=float(number))
    assert (
        "(score 0.17, shown to 3 runs; later runs no longer see it)"
        in (run_experience(capsys, "show", "run-1", "--plain")[0])
    )


@pytest.mark.parametrize("verb", [["list"], ["show", "run-1"]], ids=["list", "show"])
def test_output_contains_no_control_characters(verb: list[str], bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {"issue", "author", "url", "ended", "symptom", "change", "summary", "run", "cause"}
    lists = {"errors", "words", "places", "kinds", "tests", "dead_ends"}
    bank.add(replace(TRUSTED, **dict.fromkeys(texts, HOSTILE), **dict.fromkeys(lists, (HOSTILE,))))
    output = run_experience(capsys, *verb, "--plain")[0]
    assert "[bold]title[/bold]" in output
    for sign in ("\x1b", "\x07", "\r", "\u202e"):
        assert sign not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show"], "`experience show` takes an entry."),
        (["list", "run-1"], "`experience list` takes no entry."),
        (["link", "run-1"], "`experience link` takes no entry."),
        (["forget", "moon"], "There is no entry named 'moon'."),
        (["forget", "x", "--search", "y"], "--search is for `experience list`."),
        (["list", "--repo", "/nowhere"], "There is no folder /nowhere."),
    ],
)
def test_wrong_arguments_report_one_sentence(
    bank: Bank, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in run_experience(capsys, *arguments, code=2)[1]


def test_corrupt_file_is_reported(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(TRUSTED)
    (bank.folder / "worked" / "run-0.toml").write_text("corrupt")
    out, err = run_experience(capsys, "--plain")
    assert "run-1" in out
    assert "run-0.toml cannot be read" in err


def test_invalid_time_is_reported_without_failure(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(TRUSTED)
    file = bank.folder / "worked" / "run-1.toml"
    file.write_text(file.read_text().replace("at = 9.0", "at = 1e300"))
    assert "run-1.toml cannot be read: at is not a valid time." in run_experience(capsys, "--plain")[1]
    assert "There is no entry" in run_experience(capsys, "show", "run-1", code=2)[1]


def test_shallow_clone_error_suggests_unshallow(bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shallow = tmp_path / "shallow"
    git(Path.cwd(), "commit", "-q", "--allow-empty", "-m", "More")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{Path.cwd()}", str(shallow)], check=True)
    assert "git fetch --unshallow" in run_experience(capsys, "--repo", str(shallow), code=2)[1]
