"""Remotes of a checkout, matched with a repository on GitHub."""

from __future__ import annotations

import pytest

from aci.repository.user_repository import Repository
from agent.inputs.github_urls import Address
from extensions.github.api.github_remotes import remotes
from tests.conftest import MakeRepo, git

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
