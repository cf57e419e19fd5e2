"""URLs of issues, and the server that each token belongs to."""

from __future__ import annotations

import pytest

from agent.inputs.github_urls import Address, address_of
from trajectories.errors import UsageError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GITHUB_SERVER_URL", "GITHUB_API_URL", "GITHUB_TOKEN", "GH_TOKEN", "GH_HOST", "GH_ENTERPRISE_TOKEN",
        "GITHUB_ENTERPRISE_TOKEN", "GITHUB_REPOSITORY",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "server", "api"),
    [
        ("https://github.com/a/b.c/issues/7", "https://github.com", "https://api.github.com"),
        (" https://www.GitHub.com/a/b.c/pull/7?x=1#issuecomment-2\n", "https://github.com", "https://api.github.com"),
        ("https://octo.ghe.com/a/b.c/issues/7/", "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://git.corp:8443/a/b.c/issues/7", "https://git.corp:8443", "https://git.corp:8443/api/v3"),
        ("http://127.0.0.1:80/a/b.c/issues/7", "http://127.0.0.1:80", "http://127.0.0.1:80/v3"),
    ],
    ids=["public", "www", "ghe.com", "enterprise", "own"],
)
def test_issue_url_gives_server_and_api(url: str, server: str, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_HOST", "git.corp:8443")
    if server.startswith("http:"):
        monkeypatch.setenv("GITHUB_SERVER_URL", f"{server}/")
        monkeypatch.setenv("GITHUB_API_URL", api)
    address = address_of(url)
    assert address == Address(server, "a/b.c", 7)
    assert address.api == api
    assert address.issue_url == f"{server}/a/b.c/issues/7"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/a/b/issues/7",
        "https://github.com.evil.example/a/b/issues/7",
        "https://a.b.ghe.com/a/b/issues/7",
        "https://github.com:444/a/b/issues/7",
        "https://user:password@github.com/a/b/issues/7",
        "http://github.com/a/b/issues/7",
        "https://github.com/a/../issues/7",
        "https://github.com/a/b/issues/0",
        "https://github.com/a/b/issues/7\nx",
        "https://github.com/a/b c/issues/7",
    ],
    ids=range(10),
)
def test_unknown_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not the address of an issue") as caught:
        address_of(url)
    assert caught.value.fix


def test_token_is_for_its_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    public, corp = Address("https://github.com", "a/b"), Address("https://git.corp", "a/b")
    monkeypatch.setenv("GITHUB_TOKEN", "public")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", "corp")
    assert (public.token, corp.token) == ("public", "")
    monkeypatch.setenv("GH_HOST", "git.corp")
    assert (public.token, corp.token) == ("public", "corp")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.corp")
    assert (public.token, corp.token) == ("", "public"), "on an Enterprise server's Actions"
    assert Address("https://github.com", "a/b").token == ""
