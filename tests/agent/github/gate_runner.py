"""The gate as the Action's first job calls it, in this process, before the stand-in for GitHub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.github.action.gate_job import decide
from agent.github.action.spend_record import Charge, line
from agent.github.task.task_request import TaskRequest, read
from agent.github.task.trigger_event import now
from tests.conftest import git
from tests.github_server import Comment, Hub, Issue, Pull, Repo

BOT = "github-actions[bot]"
RIGHTS = {"issues": "write", "pull_requests": "write", "contents": "read", "actions": "read", "metadata": "read"}
BEFORE, ASKED, LATER = "2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z"


@dataclass
class Gated:
    """octo/calc, where ada may write and mallory may not. `errand` is the last one that was let through."""

    folder: Path
    hub: Hub
    repo: Repo
    patch: pytest.MonkeyPatch
    outputs: dict[str, str]
    summary: str = ""

    @classmethod
    def begun(cls, folder: Path, hub: Hub, patch: pytest.MonkeyPatch) -> Gated:
        repo = hub.repo("octo/calc")
        gated = cls(folder, hub, repo, patch, {})
        gated.commit({"calc.py": "def add(a, b):\n    return a - b\n"})
        repo.permissions |= {"ada": "write", "tri": "triage", "bob": "read"}
        hub.user(BOT, kind="Bot")
        hub.token("gate", BOT, permissions=RIGHTS, app=True)
        return gated

    def commit(self, files: dict[str, str], branch: str = "main") -> str:
        """Files on a branch of the repository on the server; the commit."""
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

    def rules(self, **values: object) -> None:
        for name, value in values.items():
            self.patch.setenv(f"SWE_AGENT_GITHUB_{name.upper()}", str(value))

    def issue(self, title: str = "add() subtracts", body: str = "It gives -1.", author: str = "mallory") -> Issue:
        return self.repo.issue(title, body, author=author, at=BEFORE)

    def labelled(self, issue: Issue, by: str = "ada", at: str = ASKED, label: str = "swe-agent") -> dict[str, Any]:
        issue.label(label, by=by, at=at)
        return self.hub.event("issues", "labeled", issue, actor=by, label=label)

    def pull(self, number: int, author: str = BOT, **more: Any) -> Pull:
        """From the branch that is the Action's for an issue."""
        branch = f"swe-agent/issue-{number}"
        self.commit({"calc.py": "def add(a, b):\n    return a + b\n"}, branch)
        given = {"head": branch, "base": "main", "title": "Add", "body": f"Fixes #{number}", "at": BEFORE}
        return self.repo.pull(**{**given, "author": author, **more})

    def decide(self, event: str, payload: dict[str, Any], run: str = "7", **environment: object) -> bool:
        """Whether it goes on; what it told is in `outputs` and `summary`."""
        for name in ("event.json", "output", "summary.md"):
            (self.folder / name).write_text(json.dumps(payload) if name == "event.json" else "")
        given = {
            **self.hub.env(actor="ada", token="gate"),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": self.folder / "event.json",
            "GITHUB_OUTPUT": self.folder / "output",
            "GITHUB_STEP_SUMMARY": self.folder / "summary.md",
            "GITHUB_RUN_ID": run,
            "GITHUB_WORKFLOW_REF": "octo/calc/.github/workflows/swe-agent.yml@refs/heads/main",
            **environment,
        }
        for variable, value in given.items():
            self.patch.setenv(variable, str(value))
        try:
            assert decide(self.folder / "errand.json") == 0
        finally:
            self.outputs = told((self.folder / "output").read_text("utf-8"))
            self.summary = (self.folder / "summary.md").read_text("utf-8")
        return self.outputs["go"] == "true"

    @property
    def reason(self) -> str:
        return self.outputs["reason"]

    @property
    def errand(self) -> TaskRequest:
        return read(self.folder / "errand.json", self.outputs["digest"])

    @property
    def writes(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.hub.requests if request.method != "GET"]

    def sticky(self, issue: Issue) -> str:
        """The one comment of the bot's; "" without one."""
        own = [comment.body for comment in issue.comments if comment.author.login == BOT]
        assert len(own) <= 1
        return "".join(own)


def charged(issue: Issue, *charges: Charge, author: str = BOT, text: str = "Done.") -> Comment:
    """A comment of the Action's from before, with what was spent."""
    return issue.comment(author, f"{line(charges)}\n\n{text}", at=now())


def told(output: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it."""
    found, lines = {}, iter(output.split("\n"))
    for each in lines:
        name, _, end = each.partition("<<")
        if end:
            found[name] = "\n".join(iter(lambda end=end: next(lines), end))
    return found
