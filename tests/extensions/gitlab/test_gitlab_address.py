"""URLs of issues on GitLab, the servers to which requests may be sent, and the token for each."""

from __future__ import annotations

import pytest

from aci.repository.user_repository import Repository
from agent.inputs.issue_hosts import find_issue_url, issue_host
from extensions.github import github_input
from extensions.gitlab import gitlab_input
from extensions.gitlab.gitlab_address import GitLabAddress, address_of
from extensions.gitlab.gitlab_remotes import project_of
from tests.conftest import MakeRepo, git
from tests.extensions.gitlab.conftest import VARIABLES
from trajectories.errors import UsageError

COM, OWN = "https://gitlab.com", "https://git.acme.org:8443/gitlab"


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "server", "project", "number"),
    [
        ("https://gitlab.com/group/sub/project/-/issues/5", COM, "group/sub/project", 5),
        ("https://gitlab.com/me/calc/-/work_items/5", COM, "me/calc", 5),
        ("https://gitlab.com/me/calc/issues/5", COM, "me/calc", 5),
        (" https://www.GitLab.com/me/calc/-/issues/5#note_17 ", COM, "me/calc", 5),
        ("https://gitlab.com/me/calc/-/issues/5?show=eyJ", COM, "me/calc", 5),
        ("https://gitlab.com/me/calc/-/issues/5/designs", COM, "me/calc", 5),
        ("https://gitlab.com/me/calc/-/issues/incident/5", COM, "me/calc", 5),
        ("https://gitlab.com/issues/issues/-/issues/12", COM, "issues/issues", 12),
        (f"{OWN}/a.b/c-d/e_f/-/issues/300", OWN, "a.b/c-d/e_f", 300),
    ],
)
def test_address_of_an_issue(url: str, server: str, project: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if server == OWN:
        monkeypatch.setenv("GITLAB_HOST", "GIT.acme.org:8443/gitlab/")
    assert address_of(url) == GitLabAddress(server, project, number)
    assert issue_host(url) is gitlab_input


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://gitlab.com/me/-/issues/5", "is not the address of an issue"),
        ("https://gitlab.com/me/calc/-/merge_requests/5", "is not the address of an issue"),
        ("https://gitlab.com/me/../-/issues/5", "is not the address of an issue"),
        ("https://gitlab.com/me/calc/-/issues/0", "is not the address of an issue"),
        ("http://gitlab.com/me/calc/-/issues/5", "Give https://gitlab.com/GROUP/PROJECT/-/issues/N"),
        ("https://gitlab.com.evil.org/me/calc/-/issues/5", "gitlab.com.evil.org is not known as a GitLab server"),
        ("https://gitlab.com@evil.org/me/calc/-/issues/5", "is not the address of an issue"),
        ("https://git.acme.org/me/calc/-/issues/5", "set GITLAB_HOST=git.acme.org"),
    ],
)
def test_other_urls_are_refused(url: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        address_of(url)
    assert message in f"{error.value.message} {error.value.fix}"


def test_host_of_an_issue_is_chosen_by_its_url() -> None:
    assert issue_host("https://github.com/octo/calc/issues/5") is github_input
    assert issue_host("https://git.acme.org/me/calc/-/issues/5") is gitlab_input
    assert issue_host("https://gitlab.com/me/calc/-/merge_requests/5") is gitlab_input
    assert issue_host("https://git.acme.org/me/calc/issues/5") is github_input, "it says how to name the server"


def test_token_is_for_the_named_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-x")
    own, public = GitLabAddress("https://git.acme.org", "me/calc"), GitLabAddress(COM, "me/calc")
    assert (own.token, public.token) == ("", "glpat-x")
    monkeypatch.setenv("GITLAB_HOST", "git.acme.org")
    assert (own.token, public.token) == ("glpat-x", "")
    assert public.token_name == "GITLAB_HOST=gitlab.com and GITLAB_TOKEN"


def test_job_of_gitlab_ci_knows_its_own_server_and_not_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_SERVER_URL", "https://git.acme.org")
    monkeypatch.setenv("CI_JOB_TOKEN", "job")
    with pytest.raises(UsageError, match="not known"):
        address_of("https://git.acme.org/me/calc/-/issues/5")
    monkeypatch.setenv("GITLAB_CI", "true")
    assert address_of("https://git.acme.org/me/calc/-/issues/5").token == ""


@pytest.mark.parametrize(
    ("remote", "server", "project"),
    [
        ("https://gitlab.com/group/sub/calc.git", COM, "group/sub/calc"),
        ("https://ada:secret@gitlab.com/me/calc", COM, "me/calc"),
        ("git@gitlab.com:group/sub/calc.git", COM, "group/sub/calc"),
        ("ssh://git@altssh.gitlab.com:443/me/calc.git", COM, "me/calc"),
        ("git@gitlab.com-work:me/calc.git", COM, "me/calc"),
        ("git@github.com:me/calc.git", COM, ""),
        ("https://gitlab.com#@evil.org/me/calc", COM, ""),
        ("https://git.acme.org:8443/gitlab/me/calc.git", OWN, "me/calc"),
        ("https://git.acme.org:8443/other/me/calc.git", OWN, ""),
        ("ssh://git@git.acme.org:2222/me/calc.git", OWN, "me/calc"),
        ("../calc", COM, ""),
        ("git@gitlab.com:calc.git", COM, ""),
    ],
)
def test_project_of_a_remote(remote: str, server: str, project: str) -> None:
    assert project_of(remote, server) == project


@pytest.mark.parametrize(
    ("remotes", "url"),
    [
        ({"origin": "git@gitlab.com:group/sub/calc.git"}, f"{COM}/group/sub/calc/-/issues/300"),
        (
            {"origin": "https://gitlab.com/me/calc.git", "upstream": "https://gitlab.com/group/calc.git"},
            f"{COM}/group/calc/-/issues/300",
        ),
        (
            {"mirror": "git@github.com:octo/calc.git", "origin": "https://gitlab.com/me/calc.git"},
            f"{COM}/me/calc/-/issues/300",
        ),
        (
            {"upstream": "git@github.com:octo/calc.git", "origin": "https://gitlab.com/me/calc.git"},
            "https://github.com/octo/calc/issues/300",
        ),
    ],
)
def test_number_names_an_issue_by_the_first_remote_on_any_host(make_repo: MakeRepo, remotes, url) -> None:
    root = make_repo({"a": "1"})
    for name, address in remotes.items():
        git(root, "remote", "add", name, address)
    git(root, "config", "url.https://evil.org/.insteadOf", "https://gitlab.com/")
    assert find_issue_url(Repository.open(root), 300) == url
