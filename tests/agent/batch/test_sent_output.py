"""An output folder that somebody else wrote: `batch` and `evaluate` refuse it before they read anything in it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from agent.batch.batch_options import BatchOptions
from agent.batch.batch_start import start_batch
from agent.batch.reports.batch_results import ResultStore, encode, load_results
from agent.config.settings import load_settings
from agent.evaluation.evaluation import EvaluateOptions as AskedToEvaluate
from agent.evaluation.evaluation import evaluate
from agent.instances.jobs import JobResult
from agent.run_state.run_ownership import OWNER, claim_output, run_owner
from tests.agent.conftest import Bench, act, line
from tests.conftest import MakeRepo
from trajectories.errors import UsageError
from trajectories.records import Issue

HOUSE = Path(__file__).resolve().parents[3]
FORGED = JobResult("i", 1, "i", 0, "verified", "verified", "their patch", 0.0)
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
def test_nothing_in_sent_folder_is_used(name: str, sent: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    put(sent, name)
    rows = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails."}
    file = tmp_path / ("urls.txt" if name == "issues.json" else "own.json")
    file.write_text(URL if name == "issues.json" else json.dumps([rows]))
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps(line("Done.", act("submit"))))
    flags = {"model": f"scripted:{script}", "strategy": "react", "workspace": "local"}
    asked = BatchOptions((file,), sent, flags, 1, repos=tmp_path / "clones", leaderboard=tmp_path / "board", tries=1)
    with pytest.raises(UsageError, match="is not empty and was not created by you here") as raised:
        start_batch(asked, plain=True)
    assert raised.value.fix == "Choose another --out."
    assert [path.relative_to(sent).as_posix() for path in sent.rglob("*") if path.is_file()] == [name]
    assert not (tmp_path / "board").exists()


def test_no_verdict_in_sent_folder_is_used(sent: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    (sent / "logs").mkdir()
    row = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails.", "patch": "p", "test_patch": "t"}
    row |= {"FAIL_TO_PASS": ["t"], "PASS_TO_PASS": []}
    (tmp_path / "own.json").write_text(json.dumps([row]))
    (tmp_path / "preds.jsonl").write_text('{"instance_id": "i", "model_patch": "their patch"}\n')
    asked = AskedToEvaluate((tmp_path / "own.json",), str(tmp_path / "preds.jsonl"), sent, workspace="local")
    with pytest.raises(UsageError, match="is not empty and was not created by you here"):
        evaluate(asked, print)
    assert [path.name for path in sent.iterdir()] == ["logs"]


def test_new_and_empty_folder_are_users_from_then_on(sent: Path, tmp_path: Path) -> None:
    for folder in (sent, tmp_path / "a" / "new"):
        claim_output(folder, state())
        put(folder, "results.jsonl")
        claim_output(folder, state())
        with pytest.raises(UsageError):
            claim_output(folder, tmp_path / "state of another machine")


def test_moved_or_replaced_folder_is_not_users(sent: Path, tmp_path: Path) -> None:
    claim_output(sent, state())
    put(sent, "results.jsonl")
    moved = sent.rename(tmp_path / "moved")
    with pytest.raises(UsageError):
        claim_output(moved, state())
    shutil.copytree(moved, sent)
    with pytest.raises(UsageError):
        claim_output(sent, state())


def test_folder_unpacked_in_place_of_removed_one_is_not_users(sent: Path) -> None:
    """It may get the same inode: here it has it in any case."""
    claim_output(sent, state())
    (sent / OWNER).unlink()
    put(sent, "results.jsonl")
    with pytest.raises(UsageError, match="was not created by you here"):
        claim_output(sent, state())
    (sent / OWNER).write_text("0" * 64)
    with pytest.raises(UsageError, match="was not created by you here"):
        claim_output(sent, state())
    (sent / OWNER).unlink()
    (sent / OWNER).symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="was not created by you here"):
        claim_output(sent, state())


def test_folder_whose_registration_was_killed_is_still_empty(sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("agent.run_state.run_ownership._write", killed)
        with pytest.raises(KeyboardInterrupt):
            claim_output(sent, state())
    assert [path.name for path in sent.iterdir()] == [OWNER]
    assert (sent / OWNER).stat().st_mode & 0o777 == 0o600
    (sent / f".{OWNER}.new").touch()
    ResultStore(sent, claim_output(sent, state())).close()
    claim_output(sent, state())


def finished(out: Path, *names: str) -> None:
    with ResultStore(out, claim_output(out, state())) as store:
        for name in names:
            store.add(replace(FORGED, instance=name, run=name, patch=f"patch of {name}"), "honest")


THEIRS = encode(replace(FORGED, instance="z", run="z"), "honest")


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: data.replace(b"patch of a", b"their code"),
        lambda data: data + THEIRS,
        lambda data: data[data.index(b"\n") + 1 :],
        lambda data: data[: data.index(b"\n") + 1],
        lambda data: data[: data.index(b"\n") + 1] + THEIRS,
        lambda data: THEIRS,
        lambda data: b"",
    ],
    ids=["replaced", "added", "first left out", "cut", "last replaced", "only theirs", "emptied"],
)
def test_results_that_were_unpacked_over_users_are_refused(changed: Any, sent: Path) -> None:
    finished(sent, "a", "b", "c")
    whole = (sent / "results.jsonl").read_bytes()
    (sent / "results.jsonl").write_bytes(changed(whole))
    before = {path.name: path.read_bytes() for path in sent.iterdir()}
    for _ in range(2):
        with pytest.raises(
            UsageError, match=r"results\.jsonl was changed by something other than swe-agent\."
        ) as raised:
            ResultStore(sent, claim_output(sent, state()))
        assert raised.value.fix == "Choose another --out."
    assert {path.name: path.read_bytes() for path in sent.iterdir()} == before
    (sent / "results.jsonl").write_bytes(whole)
    finished(sent, "d")
    assert [done.run for done in load_results(sent)] == ["a", "b", "c", "d"]


TORN = """
import os, sys
from pathlib import Path
from agent.instances import append_log
from agent.batch.reports.batch_results import ResultStore, decode

out, digest, first, second, kept = sys.argv[1:]
store = ResultStore(Path(out), Path(digest))
store.add(*decode(first.encode()))

def torn(descriptor, data):
    os.write(descriptor, data[: int(kept)])
    os._exit(9)

append_log.append_durably = torn
store.add(*decode(second.encode()))
"""


@pytest.mark.parametrize("kept", [0, 40, -1, 100_000])
def test_batch_killed_while_it_wrote_result_goes_on(kept: int, sent: Path) -> None:
    """A process ends as if killed, with this much of its last line on disk."""
    finished(sent, "a")
    lines = [encode(replace(FORGED, instance=name, run=name), "honest") for name in "bc"]
    arguments = [TORN, sent, claim_output(sent, state()), *lines, str(kept)]
    assert subprocess.run([sys.executable, "-c", *arguments], cwd=HOUSE, check=False).returncode == 9
    with ResultStore(sent, claim_output(sent, state())) as store:
        assert set(store.done) == {"a", "b"} | ({"c"} if kept > 1000 else set())
        store.add(replace(FORGED, instance="d", run="d"), "honest")
    finished(sent, "e")
    assert {"a", "b", "d", "e"} <= {done.run for done in load_results(sent)}


def test_torn_result_in_folder_that_user_answers_for(sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sent / "results.jsonl").write_bytes(THEIRS + THEIRS.replace(b'"z"', b'"y"')[:50])
    answers(monkeypatch, "y")
    finished(sent, "a")
    assert [done.run for done in load_results(sent)] == ["z", "a"]


def test_link_to_users_folder_is_folder(sent: Path, tmp_path: Path) -> None:
    claim_output(sent, state())
    put(sent, "results.jsonl")
    (tmp_path / "link").symlink_to(sent)
    claim_output(tmp_path / "link", state())


def test_at_terminal_user_is_asked_once(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
