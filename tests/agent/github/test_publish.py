"""What came of an errand is brought to GitHub, once, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.github import errand, handover
from agent.github.errand import Errand
from agent.github.handover import Outcome
from agent.github.publish import publish
from tests.conftest import MakeRepo, git
from tests.github import Hub, Issue, Repo
from trajectories.errors import SweAgentError
from trajectories.records import Issue as Asked

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


class World:
    """A repository on the hub with an issue, and a publishing job as the workflow starts it."""

    def __init__(self, hub: Hub, repo: Repo, checkout: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.hub, self.repo, self.checkout, self.folder = hub, repo, checkout, folder
        self.issue: Issue = repo.issue("add() subtracts", "add(2, 3) gives -1.", author="ada")
        self.base = git(repo.git, "rev-parse", "main")
        self.output, self.summary = folder / "output", folder / "summary"
        for name, value in {**hub.env(actor="ada", token="publish"), "GITHUB_RUN_ID": "77"}.items():
            patch.setenv(name, value)
        patch.setenv("GITHUB_OUTPUT", str(self.output))
        patch.setenv("GITHUB_STEP_SUMMARY", str(self.summary))

    def errand(self, **other: Any) -> Errand:
        known = Asked("add() subtracts", "add(2, 3) gives -1.", author="ada", trust="member")
        at = "2026-01-02T04:00:00Z"
        asked = Errand("fix", "octo/calc", self.issue.number, known, "ada", at, self.base, "main", 2.0)
        return replace(asked, **other)

    def run(
        self, diff: bytes | None = DIFF, *, exit: int = 0, verdict: Any = None, asked: Errand | None = None, **told: Any
    ) -> int:
        """Publish a run that ended so; diff None: it left nothing."""
        self.output.write_text("")
        self.summary.write_text("")
        digest = errand.write(asked or self.errand(), self.folder / "errand.json")
        if diff is None:
            return publish(self.folder / "errand.json", digest, None, "", self.checkout)
        result = {
            **RESULT,
            "exit": exit,
            "verdict": verdict or (VERIFIED if exit == 0 else NONE),
            **told.pop("result", {}),
        }
        said = {"model": "gpt-x", "title": "Add instead of subtracting", "cause": "The sign was wrong."}
        said["change"] = "add() adds now."
        outcome = Outcome(digest, exit, result, (asked or self.errand()).base, **{**said, **told})
        packed = handover.pack(outcome, diff, self.folder / "handover.tar")
        return publish(self.folder / "errand.json", digest, self.folder / "handover.tar", packed, self.checkout)

    @property
    def outputs(self) -> dict[str, str]:
        lines = self.output.read_text().splitlines()
        return {lines[at].partition("<<")[0]: lines[at + 1] for at in range(0, len(lines), 3)}

    @property
    def branches(self) -> list[str]:
        return git(self.repo.git, "for-each-ref", "--format=%(refname:short)").split()

    @property
    def said(self) -> list[str]:
        """What the bot says on the issue."""
        return [comment.body for comment in self.issue.comments if comment.author.login == BOT]

    @property
    def writes(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.hub.requests if one.method != "GET"]


@pytest.fixture
def world(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    source = make_repo({"core.py": CORE, "README.md": "# Calc\n"})
    bare = tmp_path / "calc.git"
    git(tmp_path, "clone", "-q", "--bare", str(source), str(bare))
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    with Hub(tmp_path) as hub:
        hub.token("publish", BOT, permissions=RIGHTS, app=True)
        repo = hub.repo("octo/calc", git=bare)
        yield World(hub, repo, source, tmp_path, monkeypatch)


def test_a_verified_fix_becomes_a_draft(world: World) -> None:
    assert world.run() == 0
    (pull,) = world.repo.pulls
    assert (pull.draft, pull.head, pull.base, pull.author.login) == (True, "swe-agent/issue-1", "main", BOT)
    assert pull.title == "Add instead of subtracting"
    assert "Fixes #1" in str(pull.body)
    assert "*Approve workflows to run*" in str(pull.body)
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1^") == world.base
    assert "return a + b" in git(world.repo.git, "show", "swe-agent/issue-1:core.py")
    author = git(world.repo.git, "log", "-1", "--format=%an %cn", "swe-agent/issue-1")
    assert author == f"{BOT} {BOT}"
    assert world.outputs == {"outcome": "pull", "pull": "2"}
    (said,) = world.said
    assert "#2 is a draft with a verified fix: Add instead of subtracting." in said
    assert "$0.25" in said
    assert f"{world.hub.url}/octo/calc/actions/runs/77" in said
