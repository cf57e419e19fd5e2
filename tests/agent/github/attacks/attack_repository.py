"""Where attacks are tried: a repository on the fake of GitHub, and the Action's jobs as its workflow calls them."""

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
from agent.github.task import task_request as errands
from agent.github.task.result_file import Outcome
from agent.github.task.task_request import TaskRequest
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
"""What `fix --json` prints of a verified fix, without its patch."""
GOOD = b"""diff --git a/calc/core.py b/calc/core.py
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


def adds(path: str, text: str = "x\n", mode: str = "100644") -> bytes:
    """A diff that adds a file."""
    lines = text.splitlines(keepends=True)
    body = "".join(f"+{line}" for line in lines) + ("" if text.endswith("\n") else "\n\\ No newline at end of file\n")
    return (
        f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
        f"{body}"
    ).encode()


@dataclass
class Done:
    """How a job ended. `said` is all that its log shows; `outputs` are as Actions reads the file; `raw` is the file."""

    code: int
    said: str
    raw: str
    summary: str
    outputs: dict[str, str]
    held: float = 0.0
    """Dollars that the gate let it have."""

    @property
    def went(self) -> bool:
        return self.outputs.get("go") == "true"

    @property
    def reason(self) -> str:
        return self.outputs.get("reason", "").lower()


@dataclass
class Place:
    hub: Hub
    repo: Any
    folder: Path
    patch: pytest.MonkeyPatch
    made: int = 0
    runs: int = 0
    issues: list[Any] = field(default_factory=list)

    # The jobs

    def gate(self, name: str, payload: dict[str, Any], token: str = "gate") -> Done:
        self.runs += 1
        event = self._new("event.json")
        event.write_text(json.dumps(payload))
        self.errand_file = self._new("errand.json")
        given = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": event}
        done = self.run("gate", "--out", self.errand_file, token=token, **given)
        done.held = self.read_errand()["budget"] if done.went else 0.0
        return done

    def solve(self, digest: str, *options: object, **environment: object) -> Done:
        self.handover_file = self._new("handover.tar")
        named = ("--errand", self.errand_file, "--digest", digest, "--repo", self.checkout())
        return self.run("solve", *named, "--out", self.handover_file, *options, token="", **environment)

    def publish(
        self, errand: TaskRequest | None = None, diff: bytes | None = GOOD, token: str = "publish", **told: Any
    ) -> Done:
        """With a handover as an honest job writes it but for what is `told`; with none where diff is None."""
        digest = self.write(errand or self.errand())
        handover = b"" if diff is None else tar(outcome(digest, self.base, **told), diff)
        return self.publish_these(digest, handover, token=token)

    def publish_these(
        self, digest: str, handover: bytes, handover_digest: str | None = None, token: str = "publish"
    ) -> Done:
        file = self._new("handover.tar")
        file.write_bytes(handover)
        bound = sha256(handover).hexdigest() if handover_digest is None else handover_digest
        given = ("--handover", file, "--handover-digest", bound) if handover else ("--handover", "")
        named = ("--errand", self.errand_file, "--digest", digest, "--repo", self.checkout())
        return self.run("publish", *named, *given, token=token)

    def run(self, verb: str, *options: object, token: str, **environment: object) -> Done:
        output, summary = self._new("output"), self._new("summary.md")
        output.touch()
        summary.touch()
        files = {"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary, "GITHUB_RUN_ID": 7_000_000_000 + self.runs}
        given = {**self.hub.env(actor="ada", token=token), **files}
        said = io.StringIO()
        with self.patch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            for name in ("GITHUB_TOKEN", "GH_TOKEN"):
                patch.delenv(name, raising=False)
            for name, value in {**given, **environment}.items():
                if not (name == "GITHUB_TOKEN" and not value):
                    patch.setenv(name, str(value))
            code = command_line.run(["github", verb, *map(str, options)])
        raw = output.read_text("utf-8")
        return Done(code, said.getvalue(), raw, summary.read_text("utf-8"), outputs(raw))

    def rules(self, **values: object) -> None:
        for name, value in values.items():
            self.patch.setenv(f"SWE_AGENT_GITHUB_{name.upper()}", str(value))

    # What is there

    @property
    def base(self) -> str:
        return git(self.repo.git, "rev-parse", "main")

    @property
    def written(self) -> list[str]:
        """What was asked of the API that is not reading; what git pushes shows in `refs`."""
        return [f"{request.method} {request.path}" for request in self.hub.writes if "-pack" not in request.path]

    @property
    def refs(self) -> set[str]:
        return set(git(self.repo.git, "for-each-ref", "--format=%(refname)").split())

    def approved(
        self, title: str = "add() subtracts", body: str = "add(2, 3) gives -1.", author: str = "mallory"
    ) -> Any:
        return self.repo.issue(title, body, author=author, at=BEFORE)

    def pull(self, author: str = BOT, branch: str = "swe-agent/issue-1", fork: Any = None, body: str = "") -> Any:
        """A pull request, with its branch."""
        git(self.repo.git, "branch", "-f", branch, "main")
        return self.repo.pull(head=branch, base="main", author=author, title="Ours", body=body, fork=fork)

    def labelled(self, issue: Any, actor: str = "ada", label: str = "swe-agent") -> dict[str, Any]:
        """Somebody labels an issue; the event of it."""
        issue.label(label, by=actor, at=AT)
        issue.edited = max(issue.edited, AT)
        return self.hub.event("issues", "labeled", issue, actor=actor, label=label)

    def commented(self, comment: Any) -> dict[str, Any]:
        return self.hub.event("issue_comment", "created", comment)

    def left_behind(self, issue: Any) -> None:
        """The run that holds its budget is older than any may be: it died, and nobody settled."""
        for comment in issue.comments:
            if comment.author.login == BOT:
                comment.body = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", BEFORE, comment.body)

    def said_by_bot(self, issue: Any) -> str:
        return "\n".join(comment.body for comment in issue.comments if comment.author.login == BOT)

    def read_errand(self) -> dict[str, Any]:
        return json.loads(self.errand_file.read_text("utf-8"))

    # What is made

    def errand(self, **other: Any) -> TaskRequest:
        """A fix that ada asked for, of the first issue."""
        if not self.issues:
            self.issues.append(self.approved())
        known = Issue("add() subtracts", "add(2, 3) gives -1.", author="mallory", trust="stranger")
        number = self.issues[0].number
        asked = TaskRequest("fix", "octo/calc", number, known, "ada", AT, self.base, "main", 2.0)
        return TaskRequest(**{**{name: getattr(asked, name) for name in asked.__slots__}, **other})

    def write(self, errand: TaskRequest) -> str:
        self.errand_file = self._new("errand.json")
        return errands.write(errand, self.errand_file)

    def checkout(self) -> Path:
        """The repository as actions/checkout leaves it, without credentials."""
        folder = self.folder / "checkout"
        if not folder.exists():
            git(self.folder, "clone", "-q", str(self.repo.git), str(folder))
            git(folder, "remote", "set-url", "origin", self.hub.clone_url(self.repo))
        return folder

    def _new(self, name: str) -> Path:
        self.made += 1
        folder = self.folder / str(self.made)
        folder.mkdir()
        return folder / name


BEFORE, AT, AFTER = "2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z"


def outcome(digest: str, base: str, **told: Any) -> Outcome:
    said = {"title": "add() adds", "cause": "The sign was wrong.", "change": "It is plus now.", "model": "scripted"}
    return Outcome(**{"errand": digest, "exit": 0, "result": SOLVED, "base": base, **said, **told})


def tar(outcome: Outcome | bytes, diff: bytes, *others: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A handover, as documented: a tar of `outcome.json` and `patch.diff`; and what a stranger puts beside them."""
    told = outcome if isinstance(outcome, bytes) else json.dumps(asdict(outcome)).encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        for name, data in (("outcome.json", told), ("patch.diff", diff)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
        for member, data in others:
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    return file.getvalue()


def outputs(raw: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it: `name=value`, or `name<<END`, lines, `END`."""
    found: dict[str, str] = {}
    lines = iter(raw.splitlines())
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc and "=" not in name:
            value = []
            for part in lines:
                if part == end:
                    break
                value.append(part)
            found[name] = "\n".join(value)
        elif "=" in line:
            name, _, value_ = line.partition("=")
            found[name] = value_
    return found


def forms(value: str) -> set[str]:
    """A secret as itself, in any base64, in hex."""
    coded = {b64encode(b"x" * shift + value.encode()).decode()[4:-4] for shift in range(3)}
    return {value, value.encode().hex(), *coded, *(part.replace("+", "-").replace("/", "_") for part in coded)}


def copied(template: Path, folder: Path) -> Path:
    return Path(shutil.copytree(template, folder))
