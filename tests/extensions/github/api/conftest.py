"""Fixtures: a fake GitHub server, and signing in as a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.github_server import Hub, Repo


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.github.api.request_retries.BACKOFF", 0.0)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A server with octo/calc. The environment is a user's on GitHub Enterprise, without a token."""
    for name in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GH_HOST"):
        monkeypatch.delenv(name, raising=False)
    with Hub(tmp_path) as hub:
        hub.repo("octo/calc")
        for name, value in hub.env(action=False).items():
            monkeypatch.setenv(name, value)
        yield hub


@pytest.fixture
def repo(hub: Hub) -> Repo:
    return hub.repos["octo/calc"]


@pytest.fixture
def sign_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`sign_in("ada")` sets a token of hers; `sign_in(BOT, issues="read")` one of an app with these permissions."""

    def change(login: str, **permissions: str) -> None:
        app = login.endswith("[bot]")
        scopes = {name.replace("_", "-"): level for name, level in permissions.items()}
        monkeypatch.setenv("GITHUB_TOKEN", hub.token(f"t-{login}", login, scopes if app else None, app=app))

    return change
