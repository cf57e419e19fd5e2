"""A runner for the gate job, in this process and against the fake GitHub server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from extensions.github.action.gate_job import decide
from extensions.github.action.spend_record import Charge, line
from extensions.github.task.task_request import TaskRequest, read
from extensions.github.task.trigger_event import now
from tests.conftest import git
from tests.github_server import Comment, Hub, Issue, Pull, Repo

BOT = "github-actions[bot]"
RIGHTS = {"issues": "write", "pull_requests": "write", "contents": "read", "actions": "read", "metadata": "read"}
BEFORE, REQUESTED, LATER = "2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z"


@dataclass
class GateRunner:
    """octo/calc, where ada may write and mallory may not. `task` is the last one that the gate accepted."""

    folder: Path
    hub: Hub
    repo: Repo
    monkeypatch: pytest.MonkeyPatch
    outputs: dict[str, str]
    summary: str = ""

    @classmethod
    def create(cls, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> GateRunner:
        repo = hub.repo("octo/calc")
        gate = cls(folder, hub, repo, monkeypatch, {})
        gate.commit({"calc.py": "def add(a, b):\n    return a - b\n"})
        repo.permissions |= {"ada": "write", "tri": "triage", "bob": "read"}
        hub.user(BOT, kind="Bot")
        hub.token("gate", BOT, permissions=RIGHTS, app=True)
        return gate

    def commit(self, files: dict[str, str], branch: str = "main") -> str:
        """Commit files on a branch of the server's repository and return the commit id."""
        work = self.folder / "work"
        if not work.exists():
            work.mkdir()
            git(work, "init", "-q", "-b", "main")
        git(work, "checkout", "-q", "-B", branch)
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        git(work, "add", "-A")
        git(work, "commit", "-q", "--allow-empty", "-m", f"On {branch}")
        git(work, "push", "-q", "-f", str(self.repo.git), branch)
        return git(work, "rev-parse", "HEAD")

    def set_rules(self, **values: object) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(f"SWE_AGENT_GITHUB_{name.upper()}", str(value))

    def issue(self, title: str = "add() subtracts", body: str = "It gives -1.", author: str = "mallory") -> Issue:
        return self.repo.issue(title, body, author=author, at=BEFORE)

    def label_event(
        self, issue: Issue, by: str = "ada", at: str = REQUESTED, label: str = "swe-agent"
    ) -> dict[str, Any]:
        """Label an issue and return the webhook event."""
        issue.label(label, by=by, at=at)
        return self.hub.event("issues", "labeled", issue, actor=by, label=label)

    def pull(self, number: int, author: str = BOT, **more: Any) -> Pull:
        """Open a pull request from the Action's branch for an issue."""
        branch = f"swe-agent/issue-{number}"
        self.commit({"calc.py": "def add(a, b):\n    return a + b\n"}, branch)
        fields = {"head": branch, "base": "main", "title": "Add", "body": f"Fixes #{number}", "at": BEFORE}
        return self.repo.pull(**{**fields, "author": author, **more})

    def decide(self, event: str, payload: dict[str, Any], run: str = "7", **environment: object) -> bool:
        """Run the gate; return whether it accepted the request. `outputs` and `summary` hold what it reported."""
        for name in ("event.json", "output", "summary.md"):
            (self.folder / name).write_text(json.dumps(payload) if name == "event.json" else "")
        environ = {
            **self.hub.env(actor="ada", token="gate"),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": self.folder / "event.json",
            "GITHUB_OUTPUT": self.folder / "output",
            "GITHUB_STEP_SUMMARY": self.folder / "summary.md",
            "GITHUB_RUN_ID": run,
            "GITHUB_WORKFLOW_REF": "octo/calc/.github/workflows/swe-agent.yml@refs/heads/main",
            **environment,
        }
        for variable, value in environ.items():
            self.monkeypatch.setenv(variable, str(value))
        try:
            assert decide(self.folder / "errand.json") == 0
        finally:
            self.outputs = parse_outputs((self.folder / "output").read_text("utf-8"))
            self.summary = (self.folder / "summary.md").read_text("utf-8")
        return self.outputs["go"] == "true"

    @property
    def reason(self) -> str:
        return self.outputs["reason"]

    @property
    def task(self) -> TaskRequest:
        return read(self.folder / "errand.json", self.outputs["digest"])

    @property
    def writes(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.hub.requests if request.method != "GET"]

    def status_comment(self, issue: Issue) -> str:
        """Return the bot's only comment, or "" if there is none."""
        bodies = [comment.body for comment in issue.comments if comment.author.login == BOT]
        assert len(bodies) <= 1
        return "".join(bodies)


def add_charges(issue: Issue, *charges: Charge, author: str = BOT, text: str = "Done.") -> Comment:
    """Add an earlier comment of the Action that records these charges."""
    return issue.comment(author, f"{line(charges)}\n\n{text}", at=now())


def parse_outputs(output: str) -> dict[str, str]:
    """Parse GITHUB_OUTPUT as the runner does."""
    outputs, lines = {}, iter(output.split("\n"))
    for text in lines:
        name, _, end = text.partition("<<")
        if end:
            outputs[name] = "\n".join(iter(lambda end=end: next(lines), end))
    return outputs
