"""Output folders that others wrote: `batch` and `evaluate` refuse them before reading their files."""

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

from agent.config.settings import load_settings
from agent.run_state.run_ownership import OWNER, claim_output, run_owner
from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.batch.batch_start import start_batch
from extensions.lab.batch.reports.batch_results import ResultStore, encode, load_results
from extensions.lab.evaluation.evaluation import EvaluateOptions, evaluate
from extensions.lab.instances.jobs import JobResult
from tests.agent.conftest import Bench, act, line
from tests.conftest import MakeRepo
from trajectories.errors import UsageError
from trajectories.records import Issue

ROOT = Path(__file__).resolve().parents[4]
FORGED = JobResult("i", 1, "i", 0, "verified", "verified", "their patch", 0.0)
URL = "https://github.com/acme/x/issues/1"
ISSUE = asdict(Issue("Their text", author="torvalds", trust="user"))
FOREIGN_FILES = {
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
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "sent"
    folder.mkdir()
    return folder


def write_foreign_file(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(FOREIGN_FILES[name])


def answer_prompt(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr("sys.stderr", Terminal())


def state_folder() -> Path:
    return load_settings().state


@pytest.mark.parametrize("name", FOREIGN_FILES)
def test_no_file_in_foreign_folder_is_used(name: str, foreign: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    write_foreign_file(foreign, name)
    rows = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails."}
    file = tmp_path / ("urls.txt" if name == "issues.json" else "own.json")
    file.write_text(URL if name == "issues.json" else json.dumps([rows]))
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps(line("Done.", act("submit"))))
    flags = {"model": f"scripted:{script}", "strategy": "react", "workspace": "local"}
    options = BatchOptions(
        (file,), foreign, flags, 1, repos=tmp_path / "clones", leaderboard=tmp_path / "board", tries=1
    )
    with pytest.raises(UsageError, match="is not empty and was not created by you on this computer") as raised:
        start_batch(options, plain=True)
    assert raised.value.fix == "Choose another --out."
    assert [path.relative_to(foreign).as_posix() for path in foreign.rglob("*") if path.is_file()] == [name]
    assert not (tmp_path / "board").exists()


def test_no_verdict_in_foreign_folder_is_used(foreign: Path, tmp_path: Path, make_repo: MakeRepo) -> None:
    (foreign / "logs").mkdir()
    row = {"id": "i", "repo": str(make_repo({"a.py": ""})), "issue": "It fails.", "patch": "p", "test_patch": "t"}
    row |= {"FAIL_TO_PASS": ["t"], "PASS_TO_PASS": []}
    (tmp_path / "own.json").write_text(json.dumps([row]))
    (tmp_path / "preds.jsonl").write_text('{"instance_id": "i", "model_patch": "their patch"}\n')
    options = EvaluateOptions((tmp_path / "own.json",), str(tmp_path / "preds.jsonl"), foreign, workspace="local")
    with pytest.raises(UsageError, match="is not empty and was not created by you on this computer"):
        evaluate(options, print)
    assert [path.name for path in foreign.iterdir()] == ["logs"]


def test_new_or_empty_folder_belongs_to_user(foreign: Path, tmp_path: Path) -> None:
    for folder in (foreign, tmp_path / "a" / "new"):
        claim_output(folder, state_folder())
        write_foreign_file(folder, "results.jsonl")
        claim_output(folder, state_folder())
        with pytest.raises(UsageError):
            claim_output(folder, tmp_path / "state of another machine")


def test_moved_or_replaced_folder_does_not_belong_to_user(foreign: Path, tmp_path: Path) -> None:
    claim_output(foreign, state_folder())
    write_foreign_file(foreign, "results.jsonl")
    moved = foreign.rename(tmp_path / "moved")
    with pytest.raises(UsageError):
        claim_output(moved, state_folder())
    shutil.copytree(moved, foreign)
    with pytest.raises(UsageError):
        claim_output(foreign, state_folder())


def test_folder_unpacked_in_place_of_removed_one_is_rejected(foreign: Path) -> None:
    """The new folder may get the same inode; here it always does."""
    claim_output(foreign, state_folder())
    (foreign / OWNER).unlink()
    write_foreign_file(foreign, "results.jsonl")
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        claim_output(foreign, state_folder())
    (foreign / OWNER).write_text("0" * 64)
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        claim_output(foreign, state_folder())
    (foreign / OWNER).unlink()
    (foreign / OWNER).symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        claim_output(foreign, state_folder())


def test_folder_is_still_empty_after_killed_registration(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("agent.run_state.run_ownership._write", killed)
        with pytest.raises(KeyboardInterrupt):
            claim_output(foreign, state_folder())
    assert [path.name for path in foreign.iterdir()] == [OWNER]
    assert (foreign / OWNER).stat().st_mode & 0o777 == 0o600
    (foreign / f".{OWNER}.new").touch()
    ResultStore(foreign, claim_output(foreign, state_folder())).close()
    claim_output(foreign, state_folder())


def write_results(out: Path, *names: str) -> None:
    with ResultStore(out, claim_output(out, state_folder())) as store:
        for name in names:
            store.add(replace(FORGED, instance=name, run=name, patch=f"patch of {name}"), "honest")


FOREIGN_RESULT = encode(replace(FORGED, instance="z", run="z"), "honest")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"patch of a", b"their code"),
        lambda data: data + FOREIGN_RESULT,
        lambda data: data[data.index(b"\n") + 1 :],
        lambda data: data[: data.index(b"\n") + 1],
        lambda data: data[: data.index(b"\n") + 1] + FOREIGN_RESULT,
        lambda data: FOREIGN_RESULT,
        lambda data: b"",
    ],
    ids=["replaced", "added", "first left out", "cut", "last replaced", "only theirs", "emptied"],
)
def test_results_changed_by_others_are_rejected(change: Any, foreign: Path) -> None:
    write_results(foreign, "a", "b", "c")
    original = (foreign / "results.jsonl").read_bytes()
    (foreign / "results.jsonl").write_bytes(change(original))
    before = {path.name: path.read_bytes() for path in foreign.iterdir()}
    for _ in range(2):
        with pytest.raises(
            UsageError, match=r"results\.jsonl was changed by something other than swe-agent\."
        ) as raised:
            ResultStore(foreign, claim_output(foreign, state_folder()))
        assert raised.value.fix == "Choose another --out."
    assert {path.name: path.read_bytes() for path in foreign.iterdir()} == before
    (foreign / "results.jsonl").write_bytes(original)
    write_results(foreign, "d")
    assert [done.run for done in load_results(foreign)] == ["a", "b", "c", "d"]


TORN = """
import os, sys
from pathlib import Path
from extensions.lab.instances import append_log
from extensions.lab.batch.reports.batch_results import ResultStore, decode

out, digest, first, second, length = sys.argv[1:]
store = ResultStore(Path(out), Path(digest))
store.add(*decode(first.encode()))

def write_partly(descriptor, data):
    os.write(descriptor, data[: int(length)])
    os._exit(9)

append_log.append_durably = write_partly
store.add(*decode(second.encode()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("length", [0, 40, -1, 100_000])
def test_batch_killed_while_writing_result_continues(length: int, foreign: Path) -> None:
    """The process ends as if killed, with this much of its last line on disk."""
    write_results(foreign, "a")
    lines = [encode(replace(FORGED, instance=name, run=name), "honest") for name in "bc"]
    arguments = [TORN, foreign, claim_output(foreign, state_folder()), *lines, str(length)]
    assert subprocess.run([sys.executable, "-c", *arguments], cwd=ROOT, check=False).returncode == 9
    with ResultStore(foreign, claim_output(foreign, state_folder())) as store:
        assert set(store.done) == {"a", "b"} | ({"c"} if length > 1000 else set())
        store.add(replace(FORGED, instance="d", run="d"), "honest")
    write_results(foreign, "e")
    assert {"a", "b", "d", "e"} <= {done.run for done in load_results(foreign)}


def test_partial_result_in_confirmed_folder_is_dropped(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (foreign / "results.jsonl").write_bytes(FOREIGN_RESULT + FOREIGN_RESULT.replace(b'"z"', b'"y"')[:50])
    answer_prompt(monkeypatch, "y")
    write_results(foreign, "a")
    assert [done.run for done in load_results(foreign)] == ["z", "a"]


def test_link_to_users_folder_is_accepted(foreign: Path, tmp_path: Path) -> None:
    claim_output(foreign, state_folder())
    write_foreign_file(foreign, "results.jsonl")
    (tmp_path / "link").symlink_to(foreign)
    claim_output(tmp_path / "link", state_folder())


def test_user_confirms_folder_once_at_terminal(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin(line("x"))
    out = bench.settings.runs.parent
    registry = tmp_path / "another state"
    assert run_owner(bench.directory, registry) == "other"
    answer_prompt(monkeypatch, "n")
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        claim_output(out, registry)
    answer_prompt(monkeypatch, "y")
    claim_output(out, registry)
    assert run_owner(bench.directory, registry) == "user", "its unfinished runs can be continued"
    claim_output(out, registry)  # a second prompt would read past the end
