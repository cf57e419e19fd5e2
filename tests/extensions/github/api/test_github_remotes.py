"""Remotes of a checkout, matched with a repository on GitHub."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aci.repository.user_repository import Repository
from agent.inputs.github_urls import Address
from agent.inputs.issue_hosts import find_issue_url
from agent.inputs.patch_input import PatchOptions, find_patch
from extensions.github import github_input
from extensions.github.api.github_remotes import remotes
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError

HOME = Address("https://github.com", "octo/calc", 1)
PORT = Address("https://git.example.org:8443", "octo/calc", 1)


@pytest.mark.parametrize(
    ("url", "address", "name", "push"),
    [
        ("https://github.com/octo/calc.git", HOME, "octo/calc", "https://github.com/octo/calc.git"),
        ("https://github.com/octo/calc/", HOME, "octo/calc", "https://github.com/octo/calc.git"),
        ("https://ada:pw@GitHub.com/octo/calc", HOME, "octo/calc", "https://github.com/octo/calc.git"),
        ("git@github.com:octo/calc.git", HOME, "octo/calc", "git@github.com:octo/calc.git"),
        ("ssh://git@github.com/octo/calc", HOME, "octo/calc", "ssh://git@github.com/octo/calc"),
        ("ssh://git@ssh.github.com:443/octo/calc.git", HOME, "octo/calc", "ssh://git@ssh.github.com:443/octo/calc.git"),
        ("git@github.com-work:octo/calc.git", HOME, "octo/calc", "git@github.com-work:octo/calc.git"),
        ("https://git.example.org:8443/octo/calc.git", PORT, "octo/calc", "https://git.example.org:8443/octo/calc.git"),
        ("git@git.example.org:octo/calc.git", PORT, "octo/calc", "git@git.example.org:octo/calc.git"),
        ("http://github.com/octo/calc.git", HOME, "", ""),
        ("https://github.com.evil.org/octo/calc.git", HOME, "", ""),
        ("https://evil.org/github.com/octo/calc.git", HOME, "", ""),
        ("https://www.github.com/octo/calc", HOME, "octo/calc", "https://github.com/octo/calc.git"),
        ("git@evil.org:octo/calc.git", HOME, "", ""),
        ("git@github.com-evil.com:octo/calc.git", HOME, "", ""),
        ("git@github.company.org:octo/calc.git", HOME, "", ""),
        ("ext::sh -c id github.com/octo/calc", HOME, "", ""),
        ("../calc.git", HOME, "", ""),
    ],
)
def test_remote_url_is_recognised_in_any_form(make_repo: MakeRepo, url, address, name, push):
    root = make_repo({"a": "1"})
    git(root, "remote", "add", "origin", url)
    matches = [(remote.repository, remote.url) for remote in remotes(Repository.open(root), address)]
    assert matches == ([(name, push)] if name else [])


def test_origin_and_upstream_come_first_with_their_push_urls(make_repo: MakeRepo):
    root = make_repo({"a": "1"})
    for name in ("ada", "upstream", "origin"):
        git(root, "remote", "add", name, f"https://github.com/{name}/calc.git")
    git(root, "remote", "set-url", "--push", "origin", "git@github.com:me/calc.git")
    assert [(remote.called, remote.repository) for remote in remotes(Repository.open(root), HOME)] == [
        ("origin", "me/calc"),
        ("upstream", "upstream/calc"),
        ("ada", "ada/calc"),
    ]


@pytest.mark.parametrize(
    ("remotes", "url"),
    [
        ({"origin": "git@github.com:me/calc.git"}, "https://github.com/me/calc/issues/300"),
        ({"origin": "git@github.com:me/calc", "upstream": "https://github.com/octo/calc"}, "octo/calc/issues/300"),
        (
            {"origin": "https://git.example.org/me/calc", "work": "https://acme.ghe.com/o/c"},
            "acme.ghe.com/o/c/issues/300",
        ),
        ({"origin": "https://ada:pw@www.github.com/octo/calc.git"}, "https://github.com/octo/calc/issues/300"),
        ({"origin": "git@github.com-work:octo/calc.git"}, "https://github.com/octo/calc/issues/300"),
        ({"origin": "https://github.com:443/octo/calc"}, "https://github.com/octo/calc/issues/300"),
        ({"origin": "http://github.com/octo/calc"}, "https://github.com/octo/calc/issues/300"),
    ],
)
def test_number_names_an_issue_of_the_upstream_or_own_repository(make_repo: MakeRepo, remotes, url):
    root = make_repo({"a": "1"})
    for name, address in remotes.items():
        git(root, "remote", "add", name, address)
    git(root, "config", "url.https://evil.org/.insteadOf", "https://github.com/")
    assert find_issue_url(Repository.open(root), 300).endswith(url)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("git@git.acme.org:me/calc.git", "git.acme.org is not known as a server of them"),
        ("ssh://git@git.acme.org:222/me/calc.git", "git.acme.org is not known as a server of them"),
        ("gh:me/calc", "is on GitHub or GitLab. Give the URL of issue 300"),
        ("C:/users/calc", "is on GitHub or GitLab. Give the URL of issue 300"),
        ("https://github.com#@evil.org/me/calc", "evil.org is not known as a server of them"),
        ("../calc", "is on GitHub or GitLab. Give the URL of issue 300"),
        ("", "is on GitHub or GitLab. Give the URL of issue 300"),
    ],
)
def test_number_without_a_remote_on_a_known_server_is_refused(make_repo: MakeRepo, address, message):
    root = make_repo({"a": "1"})
    if address:
        git(root, "remote", "add", "origin", address)
    with pytest.raises(UsageError) as error:
        find_issue_url(Repository.open(root), 300)
    assert message in f"{error.value.message} {error.value.fix}"


def test_number_beside_a_pull_request_names_an_issue_of_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch_issue(url: str, say: object) -> None:
        asked.append(url)
        raise UsageError("Read no further.")

    monkeypatch.setattr(github_input, "fetch_issue", fetch_issue)
    monkeypatch.setattr(github_input, "fetch_proposed_changes", lambda url: SimpleNamespace(issue=""))
    patch = PatchOptions(None, None, False, "https://github.com/octo/calc/pull/5", None)
    with pytest.raises(UsageError, match="Read no further"):
        find_patch(patch, None, ("#300", None, None), None, False, None, print)
    assert asked == ["https://github.com/octo/calc/issues/300"]
