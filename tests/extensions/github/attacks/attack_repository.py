"""The target of attacks: a repository on the fake GitHub server, and the Action's jobs as its workflow calls them."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tarfile
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.cli import command_line
from extensions.github.task import task_request
from extensions.github.task.result_file import Outcome
from extensions.github.task.task_request import TaskRequest
from tests.conftest import git
from tests.github_server import Hub
from trajectories.records import Issue

BOT = "github-actions[bot]"
GATE = {"issues": "write", "pull_requests": "write", "contents": "read", "metadata": "read"}
PUBLISH = GATE | {"contents": "write"}
SOLVED = {
    "run": "r1",
    "exit": 0,
    "verdict": {
        **{"kind": "verified", "granularity": "test", "red": True, "green": True, "red_again": True, "no_loss": True},
        **{"checks": [], "contradicted": [], "flaky": [], "commands": [], "tests": [], "lost": [], "notes": []},
    },
    "usage": {"dollars": 0.01, "input_tokens": 100, "cached_tokens": 0, "output_tokens": 20, "calls": 1},
    "steps": 1,
    "seconds": 1.0,
    "directory": "/home/runner/run",
    "word": "",
}
"""The JSON output of `fix --json` for a verified fix, without its patch."""
GOOD_DIFF = b"""diff --git a/calc/core.py b/calc/core.py
--- a/calc/core.py
+++ b/calc/core.py
@@ -1,6 +1,6 @@
 def add(a, b):
     \"\"\"The sum of two numbers.\"\"\"
-    return a - b
+    return a + b
\x20
\x20
 def double(a):
"""


def new_file_diff(path: str, text: str = "x\n", mode: str = "100644") -> bytes:
    """Return a diff that adds a file."""
    lines = text.splitlines(keepends=True)
    body = "".join(f"+{line}" for line in lines) + ("" if text.endswith("\n") else "\n\\ No newline at end of file\n")
    return (
        f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
        f"{body}"
    ).encode()


@dataclass
class JobResult:
    """The result of a job. `log` is its output, `outputs` are its job outputs and `raw_outputs` is their file."""

    code: int
    log: str
    raw_outputs: str
    summary: str
    outputs: dict[str, str]
    reserved: float = 0.0
    """Dollars that the gate reserved for the run."""

    @property
    def accepted(self) -> bool:
        return self.outputs.get("go") == "true"

    @property
    def reason(self) -> str:
        return self.outputs.get("reason", "").lower()


@dataclass
class AttackTarget:
    hub: Hub
    repo: Any
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    path_count: int = 0
    runs: int = 0
    issues: list[Any] = field(default_factory=list)

    # The jobs

    def gate(self, name: str, payload: dict[str, Any], token: str = "gate") -> JobResult:
        self.runs += 1
        event = self._new_path("event.json")
        event.write_text(json.dumps(payload))
        self.task_file = self._new_path("task.json")
        environ = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": event}
        result = self.run("gate", "--out", self.task_file, token=token, **environ)
        result.reserved = self.read_task()["budget"] if result.accepted else 0.0
        return result

    def solve(self, digest: str, *options: object, **environment: object) -> JobResult:
        self.handover_file = self._new_path("handover.tar")
        arguments = ("--task", self.task_file, "--digest", digest, "--repo", self.checkout())
        return self.run("solve", *arguments, "--out", self.handover_file, *options, token="", **environment)

    def publish(
        self,
        task: TaskRequest | None = None,
        diff: bytes | None = GOOD_DIFF,
        token: str = "publish",
        **outcome_fields: Any,
    ) -> JobResult:
        """Publish a valid result file with these `outcome_fields` changed, or without one if `diff` is None."""
        digest = self.write(task or self.task())
        handover = b"" if diff is None else tar(outcome(digest, self.base, **outcome_fields), diff)
        return self.publish_handover(digest, handover, token=token)

    def publish_handover(
        self, digest: str, handover: bytes, handover_digest: str | None = None, token: str = "publish"
    ) -> JobResult:
        file = self._new_path("handover.tar")
        file.write_bytes(handover)
        result_digest = sha256(handover).hexdigest() if handover_digest is None else handover_digest
        handover_options = ("--handover", file, "--handover-digest", result_digest) if handover else ("--handover", "")
        options = ("--task", self.task_file, "--digest", digest, "--repo", self.checkout())
        return self.run("publish", *options, *handover_options, token=token)

    def run(self, verb: str, *options: object, token: str, **environment: object) -> JobResult:
        output, summary = self._new_path("output"), self._new_path("summary.md")
        output.touch()
        summary.touch()
        files = {"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary, "GITHUB_RUN_ID": 7_000_000_000 + self.runs}
        environ = {**self.hub.env(actor="ada", token=token), **files}
        log = io.StringIO()
        with self.monkeypatch.context() as patch, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            for name in ("GITHUB_TOKEN", "GH_TOKEN"):
                patch.delenv(name, raising=False)
            for name, value in {**environ, **environment}.items():
                if not (name == "GITHUB_TOKEN" and not value):
                    patch.setenv(name, str(value))
            code = command_line.run(["github", verb, *map(str, options)])
        raw = output.read_text("utf-8")
        return JobResult(code, log.getvalue(), raw, summary.read_text("utf-8"), parse_outputs(raw))

    def set_rules(self, **values: object) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(f"SWE_AGENT_GITHUB_{name.upper()}", str(value))

    # State

    @property
    def base(self) -> str:
        return git(self.repo.git, "rev-parse", "main")

    @property
    def write_requests(self) -> list[str]:
        """API requests that write. Pushes show in `refs`."""
        return [f"{request.method} {request.path}" for request in self.hub.writes if "-pack" not in request.path]

    @property
    def refs(self) -> set[str]:
        return set(git(self.repo.git, "for-each-ref", "--format=%(refname)").split())

    def issue(self, title: str = "add() subtracts", body: str = "add(2, 3) gives -1.", author: str = "mallory") -> Any:
        return self.repo.issue(title, body, author=author, at=BEFORE)

    def pull(self, author: str = BOT, branch: str = "swe-agent/issue-1", fork: Any = None, body: str = "") -> Any:
        """Open a pull request, with its branch."""
        git(self.repo.git, "branch", "-f", branch, "main")
        return self.repo.pull(head=branch, base="main", author=author, title="Ours", body=body, fork=fork)

    def label_event(self, issue: Any, actor: str = "ada", label: str = "swe-agent") -> dict[str, Any]:
        """Label an issue and return the webhook event."""
        issue.label(label, by=actor, at=AT)
        issue.edited = max(issue.edited, AT)
        return self.hub.event("issues", "labeled", issue, actor=actor, label=label)

    def comment_event(self, comment: Any) -> dict[str, Any]:
        return self.hub.event("issue_comment", "created", comment)

    def expire_reservations(self, issue: Any) -> None:
        """Date the run that holds the budget back until it counts as dead."""
        for comment in issue.comments:
            if comment.author.login == BOT:
                comment.body = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", BEFORE, comment.body)

    def bot_comments(self, issue: Any) -> str:
        return "\n".join(comment.body for comment in issue.comments if comment.author.login == BOT)

    def read_task(self) -> dict[str, Any]:
        return json.loads(self.task_file.read_text("utf-8"))

    # Files

    def task(self, **other: Any) -> TaskRequest:
        """A fix of the first issue, requested by ada."""
        if not self.issues:
            self.issues.append(self.issue())
        issue = Issue("add() subtracts", "add(2, 3) gives -1.", author="mallory", trust="stranger")
        number = self.issues[0].number
        task = TaskRequest("fix", "octo/calc", number, issue, "ada", AT, self.base, "main", 2.0)
        return TaskRequest(**{**{name: getattr(task, name) for name in task.__slots__}, **other})

    def write(self, task: TaskRequest) -> str:
        self.task_file = self._new_path("task.json")
        return task_request.write(task, self.task_file)

    def checkout(self) -> Path:
        """Clone the repository as actions/checkout does, without credentials."""
        folder = self.folder / "checkout"
        if not folder.exists():
            git(self.folder, "clone", "-q", str(self.repo.git), str(folder))
            git(folder, "remote", "set-url", "origin", self.hub.clone_url(self.repo))
        return folder

    def _new_path(self, name: str) -> Path:
        self.path_count += 1
        folder = self.folder / str(self.path_count)
        folder.mkdir()
        return folder / name


BEFORE, AT, AFTER = "2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z"


def outcome(digest: str, base: str, **fields: Any) -> Outcome:
    texts = {"title": "add() adds", "cause": "The sign was wrong.", "change": "It is plus now.", "model": "scripted"}
    return Outcome(**{"errand": digest, "exit": 0, "result": SOLVED, "base": base, **texts, **fields})


def tar(outcome: Outcome | bytes, diff: bytes, *others: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a result file as documented, a tar of `outcome.json` and `patch.diff`, with further members."""
    outcome_json = outcome if isinstance(outcome, bytes) else json.dumps(asdict(outcome)).encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        for name, data in (("outcome.json", outcome_json), ("patch.diff", diff)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
        for member, data in others:
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    return file.getvalue()


def parse_outputs(raw: str) -> dict[str, str]:
    """Parse GITHUB_OUTPUT as the runner does: `name=value`, or `name<<END`, lines, `END`."""
    outputs: dict[str, str] = {}
    lines = iter(raw.splitlines())
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc and "=" not in name:
            value = []
            for part in lines:
                if part == end:
                    break
                value.append(part)
            outputs[name] = "\n".join(value)
        elif "=" in line:
            name, _, value_ = line.partition("=")
            outputs[name] = value_
    return outputs


def encodings(value: str) -> set[str]:
    """Return a secret as it is, in base64 at any offset, and in hex."""
    in_base64 = {b64encode(b"x" * shift + value.encode()).decode()[4:-4] for shift in range(3)}
    return {value, value.encode().hex(), *in_base64, *(part.replace("+", "-").replace("/", "_") for part in in_base64)}


def copy_tree(template: Path, folder: Path) -> Path:
    return Path(shutil.copytree(template, folder))
