"""The repository that an issue is fixed in: a checkout, a clone or, once confirmed, a different one."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.cli import command_line
from agent.inputs.github_urls import Address
from agent.permissions.approvals import Answer
from extensions.github.api.github_remotes import has_remote
from extensions.interactive.session.session_events import MessageEvent, QuestionAsked, TurnStarted
from tests.agent.conftest import line
from tests.conftest import MakeRepo, committed, git
from tests.extensions.github.solve_runner import ADD_TEST, FILES, FIX, SUBMIT, UNITTEST, Job
from tests.extensions.interactive.session.scripted_session import RecordedSession, says
from tests.github_server import Hub, Issue, Repo

Locate = Callable[..., dict[str, Any]]
ISSUE = Address("https://github.com", "octo/calc", 1)
ENTERPRISE = Address("https://git.example.org:8443", "octo/calc", 1)


@pytest.fixture
def issue(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issue:
    """An issue of octo/calc on the server; the current folder is not a repository."""
    source = committed(tmp_path / "source", FILES)
    git(source, "clone", "-q", "--bare", str(source), str(tmp_path / "calc.git"))
    hub.repos["octo/calc"].git = tmp_path / "calc.git"
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return hub.repos["octo/calc"].issue("add() subtracts", "See `add` in calc.py.", author="mallory")


@pytest.fixture
def locate(issue: Issue, capsys: pytest.CaptureFixture[str]) -> Locate:
    """`locate(…)` returns the JSON output of `locate --issue`, with the exit code and stderr."""

    def run(*more: object) -> dict[str, Any]:
        code = command_line.run(["locate", "--issue", issue.url, "--json", *map(str, more)])
        output = capsys.readouterr()
        return {"code": code, "stderr": " ".join(output.err.split()), **json.loads(output.out)}

    return run


def test_issues_repository_is_cloned_outside_of_any_checkout(locate: Locate, tmp_path: Path) -> None:
    result = locate()
    assert result["code"] == 0, result
    assert result["files"][0]["path"] == "calc.py"
    (clone,) = (tmp_path / "state" / "clones").glob("calc-*.git")
    assert f"{tmp_path / 'empty'} is not a checkout of octo/calc: using a clone of it, {clone}." in result["stderr"]


@pytest.mark.parametrize("named", ["{number}", "#{number}"])
def test_number_names_an_issue_of_the_repositorys_remote(
    issue: Issue, make_repo: MakeRepo, hub: Hub, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    own = make_repo(FILES)
    git(own, "remote", "add", "origin", f"{hub.url}/octo/calc.git")
    code = command_line.run(["locate", "--issue", named.format(number=issue.number), "--repo", str(own), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["path"] == "calc.py"


def test_unrelated_repository_is_not_used(
    locate: Locate, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    other = make_repo({"other.py": "def add(a, b):\n    return a - b\n"})
    monkeypatch.chdir(other)
    assert [file["path"] for file in locate()["files"]] == ["calc.py"]
    hub.repo("ada/other")
    git(other, "remote", "add", "origin", f"{hub.url}/ada/other.git")
    result = locate()
    assert [file["path"] for file in result["files"]] == ["calc.py"]
    assert f"{other} is not a checkout of octo/calc" in result["stderr"]


@pytest.mark.slow
def test_checkout_is_used_if_remote_is_fork_or_old_name(
    locate: Locate, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch, hub: Hub, repo: Repo, tmp_path: Path
) -> None:
    checkout = make_repo({"mine.py": "def add(a, b):\n    return a - b\n"})
    monkeypatch.chdir(checkout)
    git(checkout, "remote", "add", "origin", f"{hub.url}/ada/calc")
    git(checkout, "remote", "add", "upstream", f"{hub.url}/OCTO/Calc.git")
    result = locate()
    assert ([file["path"] for file in result["files"]], result["stderr"]) == (["mine.py"], "")
    assert not [request for request in hub.requests if request.path.endswith("/repos/octo/calc")], (
        "the names are enough"
    )
    repo.rename("sums")
    assert locate("--repo", checkout)["files"][0]["path"] == "mine.py"
    git(checkout, "remote", "remove", "upstream")
    assert locate("--repo", checkout)["code"] == 2, "ada has no fork yet"
    hub.repo("ada/calc", fork_of=repo)
    assert locate()["files"][0]["path"] == "mine.py"
    assert not (tmp_path / "state" / "clones").exists()


def test_mismatch_with_explicit_repository_needs_confirmation(locate: Locate, make_repo: MakeRepo) -> None:
    other = make_repo({"other.py": "def add(a, b):\n    return a - b\n"})
    result = locate("--repo", other)
    assert (result["code"], result["error"]["message"]) == (
        2,
        f"The issue belongs to octo/calc, but no remote of {other} points to it.",
    )
    assert result["error"]["fix"] == "Give a checkout of it with --repo, or --repo-mismatch-ok."
    result = locate("--repo", other, "--repo-mismatch-ok")
    assert (result["code"], result["files"][0]["path"]) == (0, "other.py")


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2)])
def test_mismatch_is_confirmed_at_terminal(issue: Issue, make_repo: MakeRepo, hub: Hub, answer: str, code: int) -> None:
    other = make_repo({"other.py": "x = 1\n"})
    command = [sys.executable, "-m", "swe_agent", "locate", "--issue", issue.url, "--repo", str(other)]
    primary_fd, terminal_fd = pty.openpty()
    os.write(primary_fd, f"{answer}\n".encode())
    env = {**os.environ, "PYTHONPATH": str(Path(command_line.__file__).parents[1])}
    process = subprocess.run(
        command, stdin=terminal_fd, stderr=terminal_fd, stdout=subprocess.PIPE, env=env, timeout=60
    )
    written = b""
    while select.select([primary_fd], [], [], 0.5)[0]:  # one read may return only a part
        written += os.read(primary_fd, 10_000)
    output = written.decode()
    os.close(primary_fd)
    os.close(terminal_fd)
    assert process.returncode == code, output
    assert "no remote of" in output
    assert "Continue? [y/N]" in output


@pytest.mark.parametrize("option", ["--apply", "--branch"])
def test_delivery_into_clone_is_refused(
    issue: Issue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    folder = tmp_path / "this is empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    more = [option] if option == "--apply" else [option, "b"]
    assert command_line.run(["fix", "--issue", issue.url, *more]) == 2
    output = " ".join(capsys.readouterr().err.split())
    assert f"{option} needs a checkout of octo/calc, and {folder} is not one. Give it with --repo DIR" in output
    assert not (tmp_path / "state" / "clones").exists(), "cloned although refused"


@pytest.mark.slow
def test_private_repository_is_cloned_without_storing_token(
    locate: Locate, repo: Repo, sign_in: Callable[..., None], tmp_path: Path
) -> None:
    repo.private = True
    repo.permissions["ada"] = "read"
    sign_in("ada")
    assert locate()["code"] == 0
    assert locate()["code"] == 0, "updating the clone failed"
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not [path for path in files if b"t-ada" in path.read_bytes()]


@pytest.mark.slow
def test_pull_request_is_opened_from_clone(
    issue: Issue, repo: Repo, sign_in: Callable[..., None], job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in("ada")
    repo.permissions["ada"] = "write"
    model = job.script(line("Done.", ADD_TEST, FIX, SUBMIT))
    options = ["--model", model, "--workspace", "local", "--test", UNITTEST, "--json"]
    assert command_line.run(["fix", "--issue", issue.url, "--pr", *options]) == 0
    assert "/octo/calc/pull/" in json.loads(capsys.readouterr().out)["pull"]
    assert "swe-agent/issue-1" in git(repo.git, "for-each-ref", "--format=%(refname:short)")


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [True, False])
def test_session_asks_before_working_on_issue_of_another_repository(
    issue: Issue, make_repo: MakeRepo, tmp_path: Path, allowed: bool
) -> None:
    other = make_repo({"other.py": "x = 1\n"})
    talk = RecordedSession(other, tmp_path / "talk" / "state", [says("Done.")])
    talk.answers = Answer(allowed)
    talk.session.open()
    talk.say(issue.url)
    (question,) = talk.all(QuestionAsked)
    assert f"The issue belongs to octo/calc, but no remote of {other} points to it." in question.approval.title
    assert len(talk.all(TurnStarted)) == allowed
    assert allowed or "Open a session in a checkout of it." in talk.all(MessageEvent)[-1].text
    git(other, "remote", "add", "origin", issue.url.partition("/issues")[0])
    talk.say(issue.url)
    assert len(talk.all(QuestionAsked)) == 1
    talk.session.close()


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("https://github.com/octo/calc", ISSUE, True),
        ("https://github.com/Octo/CALC.git", ISSUE, True),
        ("git@github.com:octo/calc.git", ISSUE, True),
        ("ssh://git@github.com/octo/calc", ISSUE, True),
        ("ssh://git@ssh.github.com:443/octo/calc.git", ISSUE, True),
        ("git@git.example.org:octo/calc.git", ENTERPRISE, True),
        ("https://git.example.org:8443/octo/calc", ENTERPRISE, True),
        ("gh:octo/calc", ISSUE, True),
        ("https://mirrored.example.org/octo/calc", ISSUE, False),
        ("https://github.com/octo/calc2", ISSUE, False),
        ("https://github.com/octo-calc/calc", ISSUE, False),
        ("https://git.example.org/octo/calc", ISSUE, False),
        ("https://evil.example/github.com/octo/calc", ISSUE, False),
        ("../octo/calc", ISSUE, False),
    ],
)
def test_remote_url_is_matched_with_issues_repository(
    make_repo: MakeRepo, url: str, address: Address, expected: bool
) -> None:
    root = make_repo({"a": "1"})
    git(root, "config", "url.https://github.com/.insteadOf", "gh:")
    git(root, "remote", "add", "origin", url)
    assert has_remote(Repository.open(root), address) is expected


def test_remote_counts_by_fetch_url_despite_mirror_or_push_url(make_repo: MakeRepo) -> None:
    root = make_repo({"a": "1"})
    git(root, "remote", "add", "origin", "https://github.com/octo/calc")
    git(root, "remote", "set-url", "--push", "origin", "git@github.com:ada/calc.git")
    git(root, "config", "url./srv/mirrors/.insteadOf", "https://github.com/")
    assert has_remote(Repository.open(root), ISSUE)
