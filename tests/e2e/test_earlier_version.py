"""Files written by the version of commit 71f8fb4 are usable: runs, a batch, experience, permissions, a ledger.

`earlier_versions/71f8fb4.tar.xz` is the home folder `/home/ada` in which that version's commands were run.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cli.command_line import run
from agent.permissions.permission_table import PermissionTable
from agent.permissions.rule_store import Permissions
from agent.run_state.run_ownership import record_answer
from agent.version import __version__
from benchmarks._archives import unpack
from extensions.github.action.spend_record import read
from tests.conftest import cut_run
from trajectories.records import VERSION

ARCHIVE = Path(__file__).parent / "earlier_versions" / "71f8fb4.tar.xz"
BY_REACT, BY_PHASES, BY_TEMPLATES = "20261123-142606-2e82b8", "20261123-142609-1ea483", "20261123-142613-1ecd03"
SUITE = "python3 -m unittest discover -s tests -t ."

pytestmark = pytest.mark.slow


@dataclass
class Home:
    """Ada's home folder, unpacked elsewhere."""

    path: Path

    @property
    def state(self) -> Path:
        return self.path / ".local/state/swe-agent"

    def journal(self, name: str) -> list[bytes]:
        return (self.state / "runs" / name / "journal.jsonl").read_bytes().splitlines(keepends=True)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    with tarfile.open(ARCHIVE) as archive:
        unpack(archive, tmp_path)
    home = Home(tmp_path / "ada")
    for file in home.path.rglob("*"):
        if file.is_file() and b"/home/ada" in (data := file.read_bytes()) and b"\0" not in data:
            file.write_bytes(data.replace(b"/home/ada", str(home.path).encode()))
    for name, value in {
        "HOME": home.path,
        "SWE_AGENT_STATE": home.state,
        "SWE_AGENT_CONFIG": home.path / "config.toml",
        "SWE_AGENT_CACHE": home.path / "cache",
        "SWE_AGENT_WORKSPACE": "local",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(home.path / "calc")
    # That version had no registry of the user's runs, so the user must confirm that these runs and folders are theirs.
    monkeypatch.setattr("agent.run_state.run_ownership.at_terminal", lambda: True)
    monkeypatch.setattr("agent.run_state.run_ownership.confirm", lambda *_: True)
    record_answer(home.state, is_users=True)
    return home


def test_runs_are_listed_and_resuming_ended_one_returns_result(home, capsys):
    assert run(["runs", "--json"]) == 0
    ended_runs = {
        entry["run"]: (entry["ended"], entry["exit"]) for entry in json.loads(capsys.readouterr().out)["runs"]
    }
    assert ended_runs == {BY_PHASES: ("plausible", 0), BY_REACT: ("plausible", 0), BY_TEMPLATES: ("unproven", 6)}
    before = home.journal(BY_PHASES)
    assert run(["resume", BY_PHASES, "--json"]) == 6, "the recorded code is 0"
    result = json.loads(capsys.readouterr().out)
    assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible")
    assert (result["verdict"]["evidence"], result["verdict"]["conditions"]) == ("none", ["rules of 0.2"])
    after = home.journal(BY_PHASES)
    assert after[: len(before)] == before
    assert [json.loads(line)["data"] for line in after[len(before) :]] == [{"version": VERSION}]


@pytest.mark.parametrize("name", [BY_PHASES, BY_REACT, BY_TEMPLATES])
def test_interrupted_runs_are_resumed_to_same_patch(home, name, capsys):
    lines = home.journal(name)
    ended = json.loads(lines[-1])
    assert ended["type"] == "exit"
    cut_run(home.state / "runs" / name, b"".join(lines[: len(lines) * 2 // 3]))
    assert run(["resume", name, "--json"]) == 6
    exit = json.loads(home.journal(name)[-1])
    assert (exit["tree"], exit["kind"]) == (ended["tree"], "unproven" if name == BY_TEMPLATES else "plausible")


def test_run_is_replayed_with_same_steps(home, capsys):
    assert run(["replay", BY_PHASES, "--plain"]) == 0
    assert "Identical: 5 steps." in capsys.readouterr().out


CHANGED_WORDS = {
    "swe-agent": ('"exit_status": "submitted"', '"exit_status": "submitted (plausible)"'),
    "atif": ('"kind": "verified", "verdict": "verified"', '"kind": "plausible", "verdict": "plausible"'),
    "markdown": ("## Ended: verified", "## Ended: plausible"),
}
"""The words of the earlier version and of today, by format: the proof of this run had no independent evidence."""


@pytest.mark.parametrize("format", ["swe-agent", "chat", "predictions", "atif", "markdown"])
def test_run_is_exported_as_by_earlier_version(home, format):
    assert run(["export", "--format", format, "--out", str(home.path / "out"), BY_PHASES]) == 0
    old, new = CHANGED_WORDS.get(format, ("", ""))
    earlier = (home.path / "exports" / format).read_text()
    assert not old or earlier.count(old) == 1
    assert (home.path / "out").read_text() == (earlier.replace(old, new) if old else earlier)


def test_sft_row_has_fields_of_earlier_version(home):
    assert run(["export", "--format", "sft", "--out", str(home.path / "out"), BY_PHASES]) == 0
    [row], [earlier_row] = (
        [json.loads(line) for line in file.read_text().splitlines()]
        for file in (home.path / "out", home.path / "exports" / "sft")
    )
    # Since then, only runs with equal first messages and tools form a group.
    assert row.pop("group") != earlier_row.pop("group")
    assert earlier_row.items() <= row.items()


def test_batch_is_continued(home, capsys):
    """The manifest has the version, its prompts and its tools, and a batch is refused if they have changed."""
    out = home.path / "night"
    command = ["batch", "--instances", str(home.path / "instances.jsonl"), "--out", str(out), "--workers", "1"]
    command += ["--model", f"scripted:{home.path / 'script.jsonl'}", "--strategy", "react", "--test", SUITE]
    first = (out / "results.jsonl").read_bytes()
    assert run([*command, "--slice", "0:1", "--plain"]) == 2
    changed = f"other settings: swe-agent was 0.1.0, now {__version__}; other prompts (coder); tools was"
    assert changed in capsys.readouterr().err
    manifest = json.loads((out / "manifest.json").read_text())
    fresh = home.path / "fresh"
    assert run([*command, "--slice", "0:1", "--out", str(fresh), "--json"]) == 0
    now = json.loads((fresh / "manifest.json").read_text())
    shutil.copy(fresh / "manifest.instances.json", out)  # digests of the instances, which name the repository's path
    (out / "manifest.json").write_text(
        json.dumps(manifest | {name: now[name] for name in ("swe-agent", "prompts", "tools")})
    )
    capsys.readouterr()
    assert run([*command, "--slice", "0:1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exits"] == {"verified": 1}
    assert (out / "results.jsonl").read_bytes() == first, "no instance was solved again"


def test_experience_is_used_by_new_run(home, capsys):
    assert run(["experience", "--json"]) == 0
    assert {entry["id"] for entry in json.loads(capsys.readouterr().out)["entries"]} == {BY_PHASES, BY_REACT}
    model = f"scripted:{home.path / 'script.jsonl'}"
    issue = "add() in calc.py subtracts its second argument, again"
    assert run(["fix", "--text", issue, "--model", model, "--strategy", "react", "--test", SUITE, "--json"]) == 6
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"]["kind"] == "plausible"
    journal = (Path(result["directory"]) / "journal.jsonl").read_text()
    assert BY_PHASES in journal


def test_permissions_are_read(home):
    approvals = Permissions(home.state, home.path / "calc", PermissionTable).allow_rules()
    rules = ["command git status", "command exactly rm -r build", "apply src/**", "network *.example.org"]
    assert [str(each.rule) for each in approvals] == rules


def test_ledger_is_read(home):
    charges = read((home.path / "ledger.txt").read_text(), "the comment")
    charged = [(each.run, each.dollars, each.pull, each.journal) for each in charges]
    assert charged == [("41", 0.31, 7, True), ("42", 2.0, 0, False)]
