"""Errors of GitHub's API in our messages, retries and timeouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.inputs.github_urls import Address
from extensions.github.api.github_client import repository, translate_errors
from tests.github_server import Hub, Repo
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError


@pytest.fixture(autouse=True)
def ada(hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.issue("It adds wrongly", author="bob")
    monkeypatch.setenv("GITHUB_TOKEN", hub.token("t1", "ada"))


def read_error(hub: Hub) -> SweAgentError:
    with pytest.raises(SweAgentError) as caught, translate_errors("read the issue"):
        assert repository(Address(hub.url, "octo/calc")).get_issue(1).title
    assert caught.value.__cause__ is not None
    return caught.value


HOUR = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"}
RIGHTS = {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write,contents=read"}
SSO = {"X-GitHub-SSO": "required; url=https://github.com/orgs/octo/sso?x=1"}


REFUSED: list[tuple[int, str, dict[str, str], type[SweAgentError], str, str]] = [
    (404, "Not Found", {}, UsageError, "answers 404 to the request to read the issue", "set GITHUB_TOKEN"),
    (410, "This issue was deleted", {}, UsageError, "refuses to read the issue: This issue was deleted.", ""),
    (422, "Validation Failed", {}, UsageError, "refuses to read the issue: Validation Failed.", ""),
    (401, "Bad credentials", {}, ConfigError, "rejects the token", "GITHUB_TOKEN to a valid token"),
    (403, "Resource not accessible by integration", RIGHTS, ConfigError, "not accessible by integration",
     "The token needs `issues: write` or `pull-requests: write` and `contents: read`."),
    (403, "Resource protected by organization SAML", SSO, ConfigError, "authorised", "orgs/octo/sso?x=1"),
    (403, "No\x1b[31m", {}, ConfigError, "read the issue: No.", "another token"),
    (403, "API rate limit exceeded for user ID 1.", HOUR, TryLater,
     "GitHub's limit of 5000 requests an hour is used up until 22:13 UTC", "Try again then."),
    (429, "API rate limit exceeded", {**HOUR, "X-RateLimit-Limit": "60"}, TryLater, "used up", "set GITHUB_TOKEN"),
    (403, "x", {"Retry-After": "3600"}, TryLater, "requests a pause of 3600 seconds", "then"),
    (403, "You have exceeded a secondary rate limit.", {}, TryLater, "requests a pause of a minute", "then"),
    (403, "You have triggered an abuse detection mechanism.", {}, TryLater, "requests a pause of a minute", "then"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "message", "headers", "kind", "message_part", "fix"), REFUSED, ids=range(len(REFUSED))
)
def test_refusal_is_translated(
    hub: Hub, status: int, message: str, headers: dict[str, str], kind: type[SweAgentError], message_part: str, fix: str
) -> None:
    hub.fault("GET", "/issues/1$", status=status, body={"message": message}, headers=headers)
    error = read_error(hub)
    assert type(error) is kind
    assert message_part in error.message
    assert fix in error.fix
    assert "t1" not in f"{error.message} {error.fix}"
    assert len(hub.requests) == 1, "a refused request was repeated"


@pytest.mark.parametrize(
    ("errors", "message_part"),
    [
        ([{"resource": "Issue", "code": "custom", "message": "No such branch"}], "Validation Failed; No such branch."),
        ([{"resource": "Label", "field": "name", "code": "missing"}], "Validation Failed; Label name missing."),
        (["Sorry."], "Validation Failed; Sorry."),
        ("Only one.", "Validation Failed; Only one."),
    ],
    ids=["message", "field", "text", "one"],
)
def test_each_validation_error_is_shown(hub: Hub, errors: Any, message_part: str) -> None:
    hub.fault("GET", "/issues/1$", status=422, raw=_json({"message": "Validation Failed", "errors": errors}))
    assert message_part in read_error(hub).message


def test_permission_named_by_caller_comes_first(hub: Hub) -> None:
    hub.fault("GET", "/issues/1$", status=403, body={"message": "No"}, headers=RIGHTS)
    with pytest.raises(ConfigError) as caught, translate_errors("open a pull request", "pull-requests: write"):
        assert repository(Address(hub.url, "octo/calc")).get_issue(1).title
    assert caught.value.fix == "The token needs `pull-requests: write`."


@pytest.mark.parametrize("raw", [b"{", b"[1", b"", b"null"])
def test_malformed_json_is_reported(hub: Hub, raw: bytes) -> None:
    hub.fault("GET", "/issues/1$", status=200, raw=raw)
    with pytest.raises(TryLater), translate_errors("read the issue"):
        assert repository(Address(hub.url, "octo/calc")).get_issue(1).title


@pytest.mark.slow
def test_server_errors_are_retried_and_then_reported(hub: Hub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.fault("GET", "/issues/1$", status=502, times=2)
    with translate_errors("read the issue"):
        assert repository(Address(hub.url, "octo/calc")).get_issue(1).title == "It adds wrongly"
    hub.fault("GET", "/issues/1$", status=503, times=9)
    assert "answered 503" in read_error(hub).message
    assert len(hub.requests) == 6, "not three requests each"
    assert capfd.readouterr() == ("", ""), "a library printed something"


def test_write_is_sent_once(hub: Hub) -> None:
    """The server may have processed the request despite its error."""
    hub.fault("POST", "/comments$", status=502)
    with translate_errors("read"):
        issue = repository(Address(hub.url, "octo/calc")).get_issue(1)
    with pytest.raises(TryLater), translate_errors("comment"):
        issue.create_comment("Twice?")
    assert len(hub.writes) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_only_short_rate_limits_are_waited_for(hub: Hub, status: int) -> None:
    hub.secondary("POST", "/comments$", retry_after=0, status=status)
    with translate_errors("comment"):
        issue = repository(Address(hub.url, "octo/calc")).get_issue(1)
        issue.create_comment("Once")
    assert len(hub.writes) == 2
    hub.secondary("POST", "/comments$", retry_after=61, status=status)
    with pytest.raises(TryLater, match="pause of 61 seconds"), translate_errors("comment"):
        issue.create_comment("Not now")
    assert len(hub.writes) == 3


def test_token_is_not_sent_to_another_server(hub: Hub, tmp_path: Path) -> None:
    with Hub(tmp_path / "other") as other:
        to = f"http://localhost:{other.url.rpartition(':')[2]}/api/v3/repos/octo/calc/issues/1"
        hub.fault("GET", "/issues/1$", status=301, body={"message": "Moved Permanently"}, headers={"Location": to})
        error = read_error(hub)
        assert other.requests == []
    assert isinstance(error, ConfigError)
    assert "redirected from host 127.0.0.1 to localhost" in error.message


def test_redirect_loop_is_refused(hub: Hub) -> None:
    for source, destination in (("1", "2"), ("2", "1")):
        headers = {"Location": f"{hub.api}/repos/octo/calc/issues/{destination}"}
        hub.fault("GET", f"/issues/{source}$", status=301, body={"message": "Moved"}, headers=headers, times=99)
    assert "it redirects without end" in read_error(hub).message
    assert len(hub.requests) < 9


def test_unreachable_server_is_reported(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with pytest.raises(TryLater) as caught, translate_errors("read the issue"):
        assert repository(Address("http://127.0.0.1:9", "octo/calc")).get_issue(1).title
    assert caught.value.message == "GitHub could not be reached to read the issue: Connection refused."
    assert capfd.readouterr() == ("", ""), "a library printed something"
    monkeypatch.setenv("GITHUB_API_URL", "ftp://127.0.0.1:9")
    with pytest.raises(ConfigError, match="not the URL of an API"):
        repository(Address("http://127.0.0.1:9", "octo/calc"))


def test_other_exceptions_are_not_translated() -> None:
    with pytest.raises(ValueError, match="ours"), translate_errors("read"):
        raise ValueError("ours")
    with pytest.raises(RuntimeError, match="ours"), translate_errors("read"):
        raise RuntimeError("ours")


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()
