"""`fix --issue URL` and `#300` end to end, on a server of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import command_line
from extensions.gitlab.gitlab_address import GitLabAddress
from extensions.gitlab.gitlab_remotes import open_checkout
from extensions.interactive.session.prompt_input.attachments import resolve_attachments
from tests.agent.conftest import line
from tests.conftest import MakeRepo, git
from tests.extensions.github.solve_runner import ADD_TEST, FILES, FIX, SUBMIT, UNITTEST
from tests.gitlab_server import GitLab, Project
from trajectories.errors import UsageError
from trajectories.journal import read
from trajectories.records import Step

TOKEN = "glpat-0123456789abcdefghij"


@pytest.fixture
def checkout(gitlab: GitLab, project: Project, make_repo: MakeRepo, tmp_path: Path, monkeypatch) -> Path:
    root = make_repo(FILES)
    git(root, "remote", "add", "origin", f"{project.url}.git")
    git(root, "push", "-q", str(project.git), "HEAD:main")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWE_AGENT_ACCEPT", "plausible")
    return root


def run(*arguments: object) -> int:
    return command_line.run([str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.parametrize("is_number", [False, True])
def test_fix_reads_the_issue_and_keeps_the_token_out_of_the_run(
    gitlab: GitLab,
    project: Project,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_number: bool,
) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token(TOKEN, "ada"))
    project.private, project.members = True, {"ada": 30}
    issue = project.issue("add() subtracts", f"add(2, 3) gives -1. My token is {TOKEN}.", author="mallory")
    issue.note("ada", "Please look at `calc.py`.")
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps(line("Done.", ADD_TEST, FIX, SUBMIT)) + "\n")
    named = f"#{issue.iid}" if is_number else issue.url
    options = "--repo", checkout, "--model", f"scripted:{script}", "--workspace", "local", "--test", UNITTEST
    assert run("fix", "--issue", named, *options, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    folder = tmp_path / "state" / "runs" / result["run"]
    trajectory = read(folder)
    assert trajectory.run is not None
    assert trajectory.run.issue.url == issue.url
    prompt = next(record.observations[0].text for record in trajectory.records if isinstance(record, Step))
    assert '<issue author="mallory" trust="stranger">\nadd() subtracts\n' in prompt
    assert '<comment author="ada" role="DEVELOPER" trust="member"' in prompt
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert TOKEN.encode() not in written
    assert not gitlab.writes


def test_session_takes_the_number_of_an_issue(gitlab: GitLab, project: Project, checkout: Path) -> None:
    issue = project.issue("add() subtracts", "add(2, 3) gives -1.")
    request = resolve_attachments(f"#{issue.iid}", checkout)
    assert request.whole is not None
    assert (request.whole.title, request.whole.url) == ("add() subtracts", issue.url)
    assert resolve_attachments(issue.url.replace("issues", "work_items"), checkout).whole == request.whole


def test_fork_is_a_checkout_and_another_project_is_not(
    gitlab: GitLab, project: Project, checkout: Path, tmp_path: Path
) -> None:
    issue = project.issue("add() subtracts")
    gitlab.project("ada/calc", parent=project)
    git(checkout, "remote", "set-url", "origin", f"{gitlab.url}/ada/calc.git")
    assert open_checkout(issue.url, checkout, print).root == checkout
    git(checkout, "remote", "set-url", "origin", f"{gitlab.url}/ada/other.git")
    with pytest.raises(UsageError, match="--apply needs a checkout of group/sub/calc"):
        open_checkout(issue.url, checkout, print, "--apply")
    said: list[str] = []
    clone = open_checkout(issue.url, checkout, said.append)
    assert clone.root.is_relative_to(tmp_path / "state" / "clones")
    assert said[0].startswith(f"{checkout} is not a checkout of group/sub/calc")
    assert GitLabAddress(gitlab.url, project.path).url in git(clone.root, "config", "remote.origin.url")
