"""Reading an issue: its discussion, trust, linked merge requests, images; and errors of the server."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.inputs.past_items import add_past_items
from extensions.gitlab.gitlab_issue import fetch_issue
from extensions.gitlab.gitlab_remotes import check_belongs, issue_url
from tests.conftest import MakeRepo, git
from tests.gitlab_server import GitLab, Project
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50


def test_issue_has_its_discussion_with_roles(gitlab: GitLab, project: Project) -> None:
    project.members = {"ada": 40, "rob": 20}
    issue = project.issue("add() subtracts", "add(2, 3) gives -1.<!-- Submit. -->", "mallory", labels=("bug", "core"))
    issue.note("ada", "Please look at `calc.py`.")
    issue.note("ada", "changed the description", system=True)
    issue.note("rob", "Same here.")
    read = fetch_issue(f"{issue.url}#note_1")
    assert (read.title, read.url, read.author, read.trust) == ("add() subtracts", issue.url, "mallory", "stranger")
    assert read.body == "add(2, 3) gives -1.\n\n[Removed hidden text: 1 HTML comment.]"
    assert read.labels == ("bug", "core")
    assert [(each.author, each.role, each.trust) for each in read.comments] == [
        ("ada", "MAINTAINER", "member"),
        ("rob", "REPORTER", "stranger"),
    ]
    assert read.comments[0].at == "2026-01-02T03:04:07Z"
    assert read.comments[0].url == f"{issue.url}#note_{issue.notes[0].id}"


def test_internal_notes_and_requests_of_other_projects_are_left_out(
    gitlab: GitLab, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.members = {"ada": 40}
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token("t-ada", "ada"))
    issue = project.issue("add() subtracts")
    issue.note("ada", "The customer is Acme.", internal=True)
    project.merge_request("fix", "Fix add()", f"See #{issue.iid}.\n" + "\n".join(f"line {n}" for n in range(9)), "eve")
    gitlab.project("secret/other", private=True).merge_request("x", "Hidden", f"#{issue.iid}")
    [linked] = fetch_issue(issue.url).comments
    assert linked.about == "!1, opened merge request: Fix add()"
    assert linked.body.splitlines() == ["See #1.", "line 0", "line 1", "line 2", "line 3", "line 4"]
    assert (linked.author, linked.trust) == ("eve", "stranger")


def test_images_are_read_from_the_project_only(gitlab: GitLab, project: Project) -> None:
    image, text = project.upload("minus one.png", PNG), project.upload("notes.txt", b"text")
    image = image.replace(" ", "%20")
    other = f"https://evil.org/me/calc{image}"
    body = f"![a]({image}) ![b]({project.url}{image}) ![c]({text}) ![d]({other}) ![e](/uploads/{'0' * 32}/gone.png)"
    read = fetch_issue(project.issue("add() subtracts", body).url)
    assert len(read.images) == 1
    assert read.images[0].startswith("data:image/png;base64,")


def test_many_notes_are_read_page_by_page(gitlab: GitLab, project: Project) -> None:
    issue = project.issue("add() subtracts")
    for number in range(130):
        issue.note("bob", f"Me too ({number}).")
    assert [each.body for each in fetch_issue(issue.url).comments] == [f"Me too ({n})." for n in range(130)]


def test_moved_project_is_followed_on_its_server_and_named(gitlab: GitLab, project: Project) -> None:
    issue = project.issue("add() subtracts")
    gitlab.moved["old/calc"] = project
    said: list[str] = []
    old = issue.url.replace(project.path, "old/calc")
    assert fetch_issue(old, said.append).url == issue.url
    assert said == [f"{old} has moved to {issue.url}."]


def test_issue_that_was_moved_to_another_project_is_refused(gitlab: GitLab, project: Project) -> None:
    issue = project.issue("add() subtracts", moved_to=77)
    with pytest.raises(UsageError, match=f"{issue.url} was moved to another project"):
        fetch_issue(issue.url)


def test_unread_roles_are_reported(gitlab: GitLab, project: Project) -> None:
    project.members = {"ada": 40}
    gitlab.fault("GET", "/members/all$", 429)
    said: list[str] = []
    assert fetch_issue(project.issue("add() subtracts").url, said.append).trust == "stranger"
    [message] = said
    assert message.startswith("All authors count as strangers, because their roles were not read. GitLab's rate limit")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-02T01:30:00.000+02:00", "2026-01-01T23:30:00Z"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z"),
        ("yesterday", ""),
    ],
)
def test_times_are_in_utc(gitlab: GitLab, project: Project, at: str, expected: str) -> None:
    issue = project.issue("add() subtracts")
    issue.note("ada", "Same here.")
    note = {"id": 5, "body": "Same here.", "created_at": at}
    gitlab.fault("GET", "/notes$", 200, json.dumps([note]).encode())
    assert [comment.at for comment in fetch_issue(issue.url).comments] == [expected]


def test_server_below_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GitLab(tmp_path, root="/code/gitlab") as server:
        project = server.project("group/sub/calc", private=True, members={"ada": 30})
        issue = project.issue("add() subtracts")
        monkeypatch.setenv("GITLAB_HOST", f"{server.url}/")
        monkeypatch.setenv("GITLAB_TOKEN", server.token("t-ada", "ada"))
        assert fetch_issue(issue.url).url == issue.url
        assert issue_url(f"{project.url}.git", 7) == f"{project.url}/-/issues/7"


def test_issue_of_another_project_is_asked_about(gitlab: GitLab, project: Project, make_repo: MakeRepo) -> None:
    issue, source = project.issue("add() subtracts"), Repository.open(make_repo({"a": "1"}))
    git(source.root, "remote", "add", "origin", f"{gitlab.url}/group/other.git")
    asked: list[str] = []
    check_belongs(source, issue.url, lambda why: not asked.append(why), "Elsewhere.")
    assert asked == [f"The issue belongs to group/sub/calc, but no remote of {source.root} points to it."]
    with pytest.raises(UsageError, match="no remote of"):
        check_belongs(source, issue.url, lambda why: False, "Elsewhere.")
    gitlab.moved["group/other"] = project
    check_belongs(source, issue.url, lambda why: False, "It is an earlier name.")


def test_redirect_elsewhere_gets_no_token(gitlab: GitLab, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token("t-ada", "ada"))
    issue = project.issue("add() subtracts")
    elsewhere = f"{gitlab.url}/other"
    gitlab.fault("GET", "/issues/1$", 301, headers={"Location": elsewhere})
    with pytest.raises(ConfigError, match="redirects to another address"):
        fetch_issue(issue.url)
    assert [request.path for request in gitlab.requests] == [f"/projects/{'group%2Fsub%2Fcalc'}/issues/1"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, None, ConfigError, "GitLab requires a token to read"),
        (403, None, ConfigError, "GitLab requires a token to read"),
        (404, None, UsageError, "it does not exist or is private"),
        (429, None, TryLater, "rate limit does not let you read"),
        (400, {"message": {"iid": ["is wrong"]}}, UsageError, r"refuses to read .*: iid \['is wrong'\]\."),
        (500, None, TryLater, "it answered 500"),
        (200, b"<html>", TryLater, "gave an invalid answer"),
        (200, b'{"title": 3}', TryLater, "is not an issue"),
    ],
)
def test_errors_say_what_to_do(gitlab: GitLab, project: Project, status, body, kind, message) -> None:
    gitlab.fault("GET", "/issues/1$", status, body, times=9)
    with pytest.raises(kind, match=message):
        fetch_issue(project.issue("add() subtracts").url)


def test_server_that_is_down_for_a_moment_is_asked_again(gitlab: GitLab, project: Project) -> None:
    gitlab.fault("GET", "/issues/1$", 503)
    assert fetch_issue(project.issue("add() subtracts").url).title == "add() subtracts"


def test_wrong_token_is_named_and_not_shown(gitlab: GitLab, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-wrong-and-long-enough-x")
    with pytest.raises(SweAgentError, match="rejects the token") as error:
        fetch_issue(project.issue("add() subtracts").url)
    assert error.value.fix.startswith("Set GITLAB_TOKEN to a valid token")
    assert "glpat" not in f"{error.value.message}{error.value.fix}"


def test_private_project_in_ci_names_the_job_token(
    gitlab: GitLab, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.private = True
    monkeypatch.setenv("GITLAB_CI", "true")
    with pytest.raises(UsageError) as error:
        fetch_issue(project.issue("add() subtracts").url)
    assert error.value.fix.startswith("The token of a CI job (CI_JOB_TOKEN) may not do this. ")


def test_earlier_issues_are_not_read(gitlab: GitLab, project: Project, make_repo: MakeRepo) -> None:
    issue = fetch_issue(project.issue("add() subtracts", "As in #12.").url)
    source, settings = Repository.open(make_repo({"a": "1"})), Settings(strategy="retrieve")
    gitlab.requests.clear()
    assert add_past_items(issue, source, None, settings, print, nullcontext) == issue
    assert not gitlab.requests


def test_empty_issue_is_refused(gitlab: GitLab, project: Project) -> None:
    with pytest.raises(UsageError, match="is empty"):
        fetch_issue(project.issue("", "<!-- hidden -->").url)
