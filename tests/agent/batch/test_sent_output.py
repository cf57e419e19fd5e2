"""An output folder that somebody else wrote: `batch` and `evaluate` refuse it before they read anything in it."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from agent.batch.asked import Asked
from agent.batch.begin import begin
from agent.batch.place import Done
from agent.batch.store import encode
from agent.evaluation.evaluate import Asked as AskedToEvaluate
from agent.evaluation.evaluate import evaluate
from agent.ownership import claim_output, run_owner
from agent.settings import load_settings
from tests.agent.conftest import Bench, act, line
from tests.conftest import MakeRepo
from trajectories.errors import UsageError
from trajectories.records import Issue

FORGED = Done("i", 1, "i", 0, "verified", "verified", "their patch", 0.0)
URL = "https://github.com/acme/x/issues/1"
ISSUE = asdict(Issue("Their text", author="torvalds", trust="user"))
SENT = {
    "results.jsonl": encode(FORGED, "honest").decode(),
    "images.json": json.dumps({"mine:latest": "sha256:" + "0" * 64}),
    "issues.json": json.dumps({URL: ISSUE}),
    "all_preds.jsonl": "",
    "own-runs/asked": "",
    ".hidden": "",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    folder = tmp_path / "sent"
    folder.mkdir()
    return folder


def put(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(SENT[name])


def answers(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr("sys.stderr", Terminal())


def state() -> Path:
    return load_settings().state


@pytest.mark.parametrize("name", SENT)
def test_nothing_in_a_sent_folder_is_used(name: str, sent: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    put(sent, name)
    rows = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails."}
    file = tmp_path / ("urls.txt" if name == "issues.json" else "own.json")
    file.write_text(URL if name == "issues.json" else json.dumps([rows]))
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps(line("Done.", act("submit"))))
    flags = {"model": f"scripted:{script}", "strategy": "react", "workspace": "local"}
    asked = Asked((file,), sent, flags, 1, repos=tmp_path / "clones", leaderboard=tmp_path / "board", tries=1)
    with pytest.raises(UsageError, match="is not empty and was not created by you here") as raised:
        begin(asked, plain=True)
    assert raised.value.fix == "Choose another --out."
    assert [path.relative_to(sent).as_posix() for path in sent.rglob("*") if path.is_file()] == [name]
    assert not (tmp_path / "board").exists()


def test_no_verdict_in_a_sent_folder_is_used(sent: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    (sent / "logs").mkdir()
    row = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails.", "patch": "p", "test_patch": "t"}
    row |= {"FAIL_TO_PASS": ["t"], "PASS_TO_PASS": []}
    (tmp_path / "own.json").write_text(json.dumps([row]))
    (tmp_path / "preds.jsonl").write_text('{"instance_id": "i", "model_patch": "their patch"}\n')
    asked = AskedToEvaluate((tmp_path / "own.json",), str(tmp_path / "preds.jsonl"), sent, workspace="local")
    with pytest.raises(UsageError, match="is not empty and was not created by you here"):
        evaluate(asked, print)
    assert [path.name for path in sent.iterdir()] == ["logs"]


def test_a_new_and_an_empty_folder_are_the_users_from_then_on(sent: Path, tmp_path: Path) -> None:
    for folder in (sent, tmp_path / "a" / "new"):
        claim_output(folder, state())
        put(folder, "results.jsonl")
        claim_output(folder, state())
        with pytest.raises(UsageError):
            claim_output(folder, tmp_path / "state of another machine")


def test_a_moved_or_replaced_folder_is_not_the_users(sent: Path, tmp_path: Path) -> None:
    claim_output(sent, state())
    put(sent, "results.jsonl")
    moved = sent.rename(tmp_path / "moved")
    with pytest.raises(UsageError):
        claim_output(moved, state())
    shutil.copytree(moved, sent)
    with pytest.raises(UsageError):
        claim_output(sent, state())


def test_a_link_to_the_users_folder_is_the_folder(sent: Path, tmp_path: Path) -> None:
    claim_output(sent, state())
    put(sent, "results.jsonl")
    (tmp_path / "link").symlink_to(sent)
    claim_output(tmp_path / "link", state())


def test_at_a_terminal_the_user_is_asked_once(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin(line("x"))
    out = bench.settings.runs.parent
    registry = tmp_path / "another state"
    assert run_owner(bench.directory, registry) == "other"
    answers(monkeypatch, "n")
    with pytest.raises(UsageError, match="was not created by you here"):
        claim_output(out, registry)
    answers(monkeypatch, "y")
    claim_output(out, registry)
    assert run_owner(bench.directory, registry) == "user", "its unfinished runs can be continued"
    claim_output(out, registry)  # would read past the end
