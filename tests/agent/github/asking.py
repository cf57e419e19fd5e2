"""A person at a terminal, in this process: a clone, an issue on the stand-in for GitHub, a scripted model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.run.fix import command as fix
from agent.run.resume import command as resume
from tests.agent.github.solving import FILES, TEST, UNITTEST
from tests.conftest import git
from tests.github import Hub, Issue, Pull, Repo
from trajectories.errors import SweAgentError

SUMMARY = "`add` subtracted its second argument. It now adds it."
SOLVED = (
    ("edit", {"path": "tests/test_calc.py", "old": "", "new": TEST}),
    ("edit", {"path": "calc.py", "old": "return a - b", "new": "return a + b"}),
    ("run_tests", {}),
    ("submit", {"summary": SUMMARY, "title": "Add instead of subtracting"}),
)
LOG = ("Words are loud", "Tests for words", "A calculator adds", "Empty words stay empty", "Ignore compiled files")


@dataclass
class Person:
    """`fix()` says `swe-agent fix --issue URL --pr` in `clone`, whose `origin` is `repo` on the hub."""

    folder: Path
    hub: Hub
    repo: Repo
    issue: Issue
    clone: Path
    capsys: pytest.CaptureFixture[str]
    flags: dict[str, Any] = field(default_factory=dict)
    actions: tuple[tuple[str, dict[str, Any]], ...] = SOLVED

    def fix(self, **flags: Any) -> dict[str, Any]:
        script = self.folder / "script.jsonl"
        actions = [{"tool": tool, "arguments": arguments} for tool, arguments in self.actions]
        script.write_text(json.dumps({"reply": {"text": "So.", "actions": actions, "usage": {"input_tokens": 50}}}))
        given = {"issue": self.issue.url, "repo": str(self.clone), "model": f"scripted:{script}", "test": UNITTEST}
        return self.told(
            fix, **{"pr": True, "workspace": "local", "max_tokens": 100_000, **given, **self.flags, **flags}
        )

    def resume(self, run: str = "", **flags: Any) -> dict[str, Any]:
        return self.told(resume, run=run or self.runs[-1].name, **flags)

    def told(self, command: Any, **flags: Any) -> dict[str, Any]:
        """What `--json` prints, also for an error before there is a run."""
        self.capsys.readouterr()
        try:
            command(**flags, json=True)
        except SweAgentError as error:
            return {"error": {"code": error.code, "message": error.message, "fix": error.fix}, "exit": error.code}
        return json.loads(self.capsys.readouterr().out)

    @property
    def runs(self) -> list[Path]:
        return sorted((self.folder / "state" / "runs").glob("*"))

    @property
    def pulls(self) -> list[Pull]:
        return self.repo.pulls

    def git(self, *args: str) -> str:
        """In the repository on the server."""
        return git(self.repo.git, *args)


def begun(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    """A calculator that subtracts, on the hub and in a clone of Ada's, who may write."""
    made = folder / "made"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    for title in LOG:
        git(made, "commit", "-q", "--allow-empty", "-m", title)
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    git(made, "add", "-A")
    git(made, "commit", "-q", "-m", "A calculator")
    bare = folder / "calc.git"
    git(folder, "clone", "-q", "--bare", str(made), str(bare))
    repo = hub.repo("octo/calc", git=bare)
    repo.permissions["ada"] = "write"
    issue = repo.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="mallory")
    clone = folder / "clone"
    git(folder, "clone", "-q", str(bare), str(clone))
    git(clone, "remote", "set-url", "origin", hub.clone_url(repo))
    for name, value in hub.env(token=hub.token("t0ken-of-ada", "ada"), action=False).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SWE_AGENT_STATE", str(folder / "state"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    return Person(folder, hub, repo, issue, clone, capsys)
