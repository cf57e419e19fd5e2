"""`swe-agent experience`: what was learned is listed, read, let in and forgotten, and a mistake gets one sentence."""

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
from agent.engine.lessons import open_bank
from trajectories.experience import Bank, Entry

HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold]title[/bold]\r\n\u202e"
STRANGERS = Entry(
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
    dead_ends=("shop/basket.py:Basket.total: its test still fails with it",),
)
OURS = replace(
    STRANGERS, id="run-1", outcome="worked", issue="Days are left out", trust="user", symptom="", accepted=True, at=9.0
)


@pytest.fixture
def bank(make_repo: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    """Of the repository of the present folder."""
    folder = make_repo({"a.py": "x = 1\n"})
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    source = Repository.open(folder)
    whose = find_identity(source, source.commit())
    assert whose is not None
    return open_bank(tmp_path / "state", whose)


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert run(["experience", *words]) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_empty_bank(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no experience yet" in told(capsys, "list", "--plain")[0]
    assert json.loads(told(capsys, "--json")[0]) == {"folder": str(bank.folder), "entries": [], "trouble": []}


def test_listed_newest_first_and_searched(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(OURS)
    bank.add(STRANGERS)
    lines = told(capsys, "--plain")[0].splitlines()
    assert [line.split()[0] for line in lines] == ["id", "run-1", "run-2"]
    assert "not accepted" in lines[2]
    assert "waits" not in lines[1]
    ids = [
        entry["id"] for entry in json.loads(told(capsys, "list", "--search", "Basket totals", "--json")[0])["entries"]
    ]
    assert ids == ["run-2"]
    assert "No entry matches." in told(capsys, "list", "--search", "moon", "--plain")[0]


def test_read_let_in_and_forgotten(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(STRANGERS)
    shown = told(capsys, "show", "run", "--plain")[0]
    for part in ("mallory", "stranger", "not accepted: ", "its test still fails with it"):
        assert part in shown
    assert "run-2 is accepted" in told(capsys, "accept", "run-2")[1]
    assert bank.named("run-2").accepted
    assert json.loads(told(capsys, "forget", "run-2", "--json")[0]) == {"forgotten": ["run-2"]}
    assert not bank


@pytest.mark.parametrize("verb", [["list"], ["show", "run-1"]], ids=["list", "show"])
def test_nothing_in_entry_moves_terminal(
    verb: list[str], bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"issue", "author", "url", "ended", "symptom", "change", "summary", "run"}
    lists = {"errors", "words", "places", "kinds", "tests", "dead_ends"}
    bank.add(replace(OURS, **dict.fromkeys(texts, HOSTILE), **dict.fromkeys(lists, (HOSTILE,))))
    shown = told(capsys, *verb, "--plain")[0]
    assert "[bold]title[/bold]" in shown
    for sign in ("\x1b", "\x07", "\r", "\u202e"):
        assert sign not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "`experience show` takes an entry."),
        (["list", "run-1"], "`experience list` takes no entry."),
        (["forget", "moon"], "There is no entry named 'moon'."),
        (["forget", "x", "--search", "y"], "--search is for `experience list`."),
        (["list", "--repo", "/nowhere"], "There is no folder /nowhere."),
    ],
)
def test_mistake_gets_one_sentence(
    bank: Bank, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in told(capsys, *words, code=2)[1]


def test_spoilt_file_is_named(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(OURS)
    (bank.folder / "worked" / "run-0.toml").write_text("spoilt")
    out, err = told(capsys, "--plain")
    assert "run-1" in out
    assert "run-0.toml cannot be read" in err


def test_time_that_is_none_ends_nothing(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(OURS)
    file = bank.folder / "worked" / "run-1.toml"
    file.write_text(file.read_text().replace("at = 9.0", "at = 1e300"))
    assert "run-1.toml cannot be read: at is not a valid time." in told(capsys, "--plain")[1]
    assert "There is no entry" in told(capsys, "show", "run-1", code=2)[1]


def test_shallow_clone_says_what_to_do(bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "More"], check=True)
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{Path.cwd()}", str(shallow)], check=True)
    assert "git fetch --unshallow" in told(capsys, "--repo", str(shallow), code=2)[1]
