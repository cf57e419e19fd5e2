"""A runner for the publish job, in this process, for an issue on the fake GitHub server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extensions.github.action.publish_job import publish
from extensions.github.task import result_file, task_request
from extensions.github.task.result_file import Outcome
from extensions.github.task.task_request import TaskRequest
from tests.conftest import git
from tests.github_server import Hub, Issue, Repo
from trajectories.records import Issue as IssueText

BOT = "github-actions[bot]"
RIGHTS = {"contents": "write", "issues": "write", "pull_requests": "write"}
CORE = "def add(a, b):\n    return a - b\n"
DIFF = b"""diff --git a/core.py b/core.py
--- a/core.py
+++ b/core.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a - b
+    return a + b
"""
SETUP = b"""diff --git a/setup.py b/setup.py
new file mode 100644
--- /dev/null
+++ b/setup.py
@@ -0,0 +1 @@
+x = 1
"""
WORKFLOW = SETUP.replace(b"setup.py", b".github/workflows/x.yml")
VERIFIED: dict[str, Any] = {
    **{"kind": "verified", "granularity": "test", "red": True, "green": True, "red_again": True, "no_loss": True},
    **dict.fromkeys(("checks", "contradicted", "flaky", "lost"), ()),
    "tests": ["test_core.py::test_add"],
    "commands": ["python -m pytest test_core.py::test_add"],
    "notes": ["The suite with the patch: 12 passed."],
}
UNPROVEN = {**VERIFIED, "kind": "unproven", "green": False, "red_again": None, "no_loss": None, "notes": ["It hangs."]}
NONE: dict[str, Any] = {
    **VERIFIED,
    **{"kind": "none", "red": None, "green": None, "red_again": None, "no_loss": None},
    **dict.fromkeys(("tests", "commands", "notes"), ()),
}
RESULT: dict[str, Any] = {
    **{"run": "20260101-000000-abcdef", "exit": 0, "verdict": VERIFIED, "steps": 3, "seconds": 61.0},
    **{"directory": "/runs/x", "word": ""},
    "usage": {"dollars": 0.25, "input_tokens": 9000, "cached_tokens": 0, "output_tokens": 1000, "calls": 4},
}


class PublishRunner:
    """A repository with an issue on the server, and a publish job as the workflow starts it."""

    def __init__(self, hub: Hub, repo: Repo, checkout: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hub, self.repo, self.checkout, self.folder = hub, repo, checkout, folder
        self.issue: Issue = repo.issue("add() subtracts", "add(2, 3) gives -1.", author="ada")
        self.base = git(repo.git, "rev-parse", "main")
        self.output, self.summary = folder / "output", folder / "summary"
        for name, value in {**hub.env(actor="ada", token="publish"), "GITHUB_RUN_ID": "77"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GITHUB_OUTPUT", str(self.output))
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(self.summary))

    def task(self, **other: Any) -> TaskRequest:
        issue = IssueText("add() subtracts", "add(2, 3) gives -1.", author="ada", trust="member")
        at = "2026-01-02T04:00:00Z"
        task = TaskRequest("fix", "octo/calc", self.issue.number, issue, "ada", at, self.base, "main", 2.0)
        return replace(task, **other)

    def run(
        self,
        diff: bytes | None = DIFF,
        *,
        exit: int = 0,
        verdict: Any = None,
        task: TaskRequest | None = None,
        **outcome_fields: Any,
    ) -> int:
        """Publish a run that ended so. With `diff` None, the solve job wrote no result file."""
        self.output.write_text("")
        self.summary.write_text("")
        digest = task_request.write(task or self.task(), self.folder / "errand.json")
        if diff is None:
            return publish(self.folder / "errand.json", digest, None, "", self.checkout)
        result_verdict = verdict or {0: VERIFIED, 6: UNPROVEN}.get(exit, NONE)
        result = {**RESULT, "exit": exit, "verdict": result_verdict, **outcome_fields.pop("result", {})}
        texts = {"model": "gpt-x", "title": "Add instead of subtracting", "cause": "The sign was wrong."}
        texts["change"] = "add() adds now."
        required = {"errand": digest, "base": (task or self.task()).base, "exit": exit, "result": result}
        outcome = Outcome(**{**required, **texts, **outcome_fields})
        result_digest = result_file.pack(outcome, diff, self.folder / "handover.tar")
        return publish(self.folder / "errand.json", digest, self.folder / "handover.tar", result_digest, self.checkout)

    @property
    def outputs(self) -> dict[str, str]:
        lines = self.output.read_text().splitlines()
        return {lines[at].partition("<<")[0]: lines[at + 1] for at in range(0, len(lines), 3)}

    @property
    def branches(self) -> list[str]:
        return git(self.repo.git, "for-each-ref", "--format=%(refname:short)").split()

    @property
    def bot_comments(self) -> list[str]:
        """The bot's comments on the issue."""
        return [comment.body for comment in self.issue.comments if comment.author.login == BOT]

    def write_requests(self) -> list[str]:
        """Return the API requests and git operations that write."""
        read_only = ("GET /", "POST /octo/calc.git/git-upload-pack")
        requests = [f"{request.method} {request.path}" for request in self.hub.requests]
        return [request for request in requests if not request.startswith(read_only)]

    def push(self, branch: str, files: dict[str, str], base: str = "main") -> str:
        """Commit files on top of `base`, push the commit to `branch` on the server and return its id."""
        folder = self.folder / f"clone{len(list(self.folder.iterdir()))}"
        git(self.folder, "clone", "-q", "-b", base, str(self.repo.git), str(folder))
        for name, text in files.items():
            (folder / name).write_text(text)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "Another change")
        git(folder, "push", "-q", "origin", f"HEAD:{branch}")
        return git(folder, "rev-parse", "HEAD")
