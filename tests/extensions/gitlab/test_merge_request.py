"""`fix --mr` and `resume --mr` end to end: a branch and a draft merge request, exactly once."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cli import command_line
from tests.conftest import git
from tests.extensions.github.solve_runner import FILES, UNITTEST
from tests.extensions.github.terminal_user import EDIT, SOLVED, SUBMIT
from tests.gitlab_server import GitLab, Issue, MergeRequest, Project
from trajectories.journal import read

TOKEN = "glpat-0123456789abcdefghij"
pytestmark = pytest.mark.slow


def write_script(folder: Path, actions: Any) -> Path:
    """Write the replies of a model that does this in its first step."""
    script = folder / "script.jsonl"
    calls = [{"tool": tool, "arguments": arguments} for tool, arguments in actions]
    script.write_text(json.dumps({"reply": {"text": "Done.", "actions": calls, "usage": {"input_tokens": 50}}}))
    return script


@dataclass
class User:
    """Ada at a terminal, whose `clone` has the project as `origin`."""

    folder: Path
    gitlab: GitLab
    project: Project
    issue: Issue
    clone: Path

    def fix(self, *options: str, actions: Any = SOLVED) -> dict[str, Any]:
        script = write_script(self.folder, actions)
        model = "--model", f"scripted:{script}", "--workspace", "local", "--test", UNITTEST, "--max-steps", "1"
        return self.run("fix", "--issue", self.issue.url, "--repo", str(self.clone), *model, *(options or ("--mr",)))

    def resume(self, *options: str) -> dict[str, Any]:
        [run] = (self.folder / "state" / "runs").iterdir()
        return self.run("resume", run.name, *(options or ("--mr",)))

    def run(self, *arguments: str) -> dict[str, Any]:
        output = io.StringIO()
        with redirect_stdout(output):
            code = command_line.run([*arguments, "--json"])
        return {"code": code, **json.loads(output.getvalue())}

    @property
    def request(self) -> MergeRequest:
        [request] = self.project.merge_requests
        return request

    def branches(self, project: Project | None = None) -> list[str]:
        there = (project or self.project).git
        return git(there, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture
def user(tmp_path: Path, gitlab: GitLab, project: Project, monkeypatch: pytest.MonkeyPatch) -> User:
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q", "-b", "main")
    for name, text in FILES.items():
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text(text)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "A calculator")
    git(clone, "push", "-q", str(project.git), "main")
    git(clone, "remote", "add", "origin", f"{project.url}.git")
    project.members["ada"] = 30
    environment = {"GITLAB_TOKEN": gitlab.token(TOKEN, "ada"), "SWE_AGENT_STATE": str(tmp_path / "state")}
    environment |= {"SWE_AGENT_ACCEPT": "plausible", "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for name, value in (environment | {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}).items():
        monkeypatch.setenv(name, value)
    issue = project.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="mallory")
    return User(tmp_path, gitlab, project, issue, clone)


def test_accepted_patch_becomes_a_draft_merge_request(user: User) -> None:
    result = user.fix()
    request = user.request
    assert (result["code"], result["pull"]) == (0, request.url)
    assert (request.title, request.source_branch, request.target_branch) == (
        "Draft: Add instead of subtracting",
        "swe-agent/issue-1",
        "main",
    )
    assert request.body.startswith("Fixes #1.\n\n`add` subtracted its second argument.")
    assert "**Plausible:**" in request.body
    assert "It needs review by a person." in request.body
    assert git(user.project.git, "show", "-s", "--format=%an %s", request.source_branch) == (
        "Ada Add instead of subtracting"
    )
    assert "return a + b" in git(user.project.git, "show", f"{request.source_branch}:calc.py")
    [run] = (user.folder / "state" / "runs").iterdir()
    notes = [note for note in read(run).notes if note.data.get("effect") == "request" and note.kind == "done"]
    assert [note.text for note in notes] == [f"A draft merge request is open: {request.url}"]
    written = b"".join(file.read_bytes() for file in run.rglob("*") if file.is_file())
    assert TOKEN.encode() not in written


def test_resumed_delivery_opens_no_second_request(user: User) -> None:
    user.gitlab.fault("POST", "/merge_requests$", 500, times=9)
    assert user.fix()["code"] == 75
    assert user.branches() == ["main", "swe-agent/issue-1"]
    assert not user.project.merge_requests
    user.gitlab.faults.clear()
    assert user.resume("--plain")["pull"] == user.request.url
    assert user.resume()["pull"] == user.request.url
    assert user.branches() == ["main", "swe-agent/issue-1"]


def test_request_that_was_opened_meanwhile_is_the_answer(user: User) -> None:
    user.gitlab.fault("POST", "/merge_requests$", 409, {"message": ["Another open merge request already exists"]})
    user.fix("--plain")
    there = user.project.merge_request("swe-agent/issue-1", "Draft: Mine")
    user.gitlab.fault("GET", "/merge_requests$", 200, b"[]")
    assert user.resume()["pull"] == there.url
    assert user.project.merge_requests == [there]


def test_request_from_a_branch_of_the_same_name_elsewhere_is_not_the_answer(user: User) -> None:
    fork = user.gitlab.project("eve/calc", parent=user.project)
    there = {"iid": 7, "web_url": f"{user.project.url}/-/merge_requests/7", "source_branch": "swe-agent/issue-1"}
    listed = json.dumps([there | {"source_project_id": fork.id}]).encode()
    user.gitlab.fault("GET", "/merge_requests$", 200, listed)
    assert user.fix()["pull"] == user.request.url


def test_unproven_patch_is_opened_on_request_only(user: User) -> None:
    result = user.fix(actions=(EDIT, SUBMIT))
    assert (result["code"], result.get("pull", "")) == (6, "")
    assert user.branches() == ["main"]
    assert user.resume()["pull"] == user.request.url


def test_fork_is_pushed_to_and_merged_from(user: User) -> None:
    user.project.members.clear()
    fork = user.gitlab.project("ada/calc", parent=user.project, members={"ada": 50})
    git(user.clone, "push", "-q", str(fork.git), "main")
    git(user.clone, "remote", "set-url", "origin", f"{fork.url}.git")
    result = user.fix()
    assert result["pull"] == user.request.url
    assert user.request.source is fork
    assert (user.branches(), user.branches(fork)) == (["main"], ["main", "swe-agent/issue-1"])


def test_taken_branch_is_left_alone(user: User) -> None:
    git(user.clone, "push", "-q", str(user.project.git), "main:refs/heads/swe-agent/issue-1")
    assert user.fix()["pull"] == user.request.url
    assert user.request.source_branch == "swe-agent/issue-1-2"


def test_template_and_policy_of_the_project_are_used(user: User) -> None:
    template, policy = user.clone / ".gitlab/merge_request_templates/Default.md", user.clone / "AI_POLICY.md"
    template.parent.mkdir(parents=True)
    template.write_text(
        "## What does this MR do?\n\n## How to test\n\n- [ ] I read the guide.\n\n/approve\n  /assign me\n"
    )
    (user.clone / "pull_request_template.md").write_text("## Of GitHub\n")
    policy.write_text("AI-assisted changes are welcome if a person reviewed them.\n")
    git(user.clone, "add", "-A")
    git(user.clone, "commit", "-q", "-m", "A template")
    git(user.clone, "push", "-q", str(user.project.git), "main")
    user.fix()
    assert "## What does this MR do?" in user.request.body
    assert "GitHub" not in user.request.body
    assert "\n/" not in user.request.body.replace(" ", "")
    assert f"The project's policy on AI: {user.project.url}/-/blob/" in user.request.body


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no token", "Opening a merge request requires a token. Set GITLAB_TOKEN to one with the scope `api`"),
        ("job token", "The token of a CI job (CI_JOB_TOKEN) may not do this. Set GITLAB_TOKEN"),
        ("confidential", "The issue is confidential, and a merge request may show what it says."),
        ("archived", "group/sub/calc accepts no merge requests from you."),
        ("reporter", "You have no push access to group/sub/calc, and no remote is a fork of it"),
        ("no remote", "is group/sub/calc or a fork of it. git remote add gitlab"),
        ("ahead", "is not on the branch main of group/sub/calc. Push it first"),
        ("policy", "does not accept this merge request. AI_POLICY.md says: "),
    ],
)
def test_destination_is_checked_before_anything_is_spent(
    user: User, change: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if change in ("no token", "job token"):
        monkeypatch.delenv("GITLAB_TOKEN")
        if change == "job token":
            monkeypatch.setenv("GITLAB_CI", "true")
            monkeypatch.setenv("CI_JOB_TOKEN", "job")
    elif change == "confidential":
        user.issue.confidential = True
    elif change == "archived":
        user.project.archived = True
    elif change == "reporter":
        user.project.members["ada"] = 20
    elif change == "no remote":
        git(user.clone, "remote", "set-url", "origin", f"{user.gitlab.url}/ada/other.git")
    else:
        (user.clone / "AI_POLICY.md").write_text("We do not accept AI-generated code.\n")
        git(user.clone, "add", "-A")
        git(user.clone, "commit", "-q", "-m", "A policy")
        if change == "policy":
            git(user.clone, "push", "-q", str(user.project.git), "main")
            user.project.members.clear()
            fork = user.gitlab.project("ada/calc", parent=user.project, members={"ada": 50})
            git(user.clone, "remote", "set-url", "origin", f"{fork.url}.git")
    error = user.fix("--mr", "--repo-mismatch-ok")["error"]
    assert message in f"{error['message']} {error['fix']}"
    assert not (user.folder / "state" / "runs").exists()
    assert not user.gitlab.writes


def test_push_is_refused_by_the_server(user: User) -> None:
    hook = user.project.git / "hooks" / "pre-receive"
    hook.write_text(
        "#!/bin/sh\necho 'GitLab: You are not allowed to push to protected branches on this project.'\nexit 1\n"
    )
    hook.chmod(0o755)
    error = user.fix()["error"]
    assert "forbids the branch swe-agent/issue-1" in error["message"]
    assert TOKEN not in json.dumps(error)


def test_comment_says_how_the_run_ended_and_is_updated(user: User, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    user.issue.note("eve", "<!-- swe-agent: status -->\nNot mine.")
    user.fix(actions=(EDIT, SUBMIT))
    monkeypatch.setenv("CI_JOB_URL", f"{user.project.url}/-/jobs/7")
    [run] = (user.folder / "state" / "runs").iterdir()
    assert command_line.run(["gitlab", "comment", run.name]) == 0
    [_, note] = user.issue.notes
    assert f"{user.issue.url}#note_{note.id}" in capsys.readouterr().out.replace("\n", "")
    assert note.body.startswith("<!-- swe-agent: status -->\nThere is a patch that is ")
    assert "No merge request was opened, because the patch is " in note.body
    assert str(user.folder) not in note.body
    assert note.body.endswith(f"[Job]({user.project.url}/-/jobs/7)")
    user.resume()
    monkeypatch.setenv("CI_JOB_URL", "https://evil.org/x")
    assert command_line.run(["gitlab", "comment", run.name]) == 0
    assert len(user.issue.notes) == 2
    assert f"{user.request.url} has a patch that is " in note.body
    assert "evil" not in note.body


def test_comment_needs_an_ended_run_and_a_token(user: User, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    user.gitlab.fault("POST", "/merge_requests$", 500, times=9)
    user.fix()
    [run] = (user.folder / "state" / "runs").iterdir()
    assert command_line.run(["gitlab", "comment", run.name]) == 2
    user.gitlab.faults.clear()
    user.resume()
    monkeypatch.delenv("GITLAB_TOKEN")
    assert command_line.run(["gitlab", "comment", run.name]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "has not ended" in said
    assert "Writing a comment requires a token. Set GITLAB_TOKEN" in said
    assert not user.issue.notes
