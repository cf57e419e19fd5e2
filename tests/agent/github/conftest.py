"""Fixtures: a fake GitHub server, signing in as a user, and runners for the Action's three jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.github.gate_runner import GateRunner
from tests.agent.github.publish_runner import BOT, CORE, RIGHTS, PublishRunner
from tests.agent.github.solve_runner import FILES, Job, set_up
from tests.conftest import MakeRepo, git
from tests.github_server import Hub, Repo


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.github.api.request_retries.BACKOFF", 0.0)


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


@pytest.fixture
def job(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A checkout of a calculator, and the environment of an Actions step."""
    set_up(tmp_path, monkeypatch)
    return Job(tmp_path, make_repo(FILES))


@pytest.fixture
def publisher(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishRunner]:
    source = make_repo({"core.py": CORE, "README.md": "# Calc\n"})
    bare = tmp_path / "calc.git"
    git(tmp_path, "clone", "-q", "--bare", str(source), str(bare))
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    with Hub(tmp_path) as hub:
        hub.token("publish", BOT, permissions=RIGHTS, app=True)
        repo = hub.repo("octo/calc", git=bare)
        yield PublishRunner(hub, repo, source, tmp_path, monkeypatch)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GateRunner]:
    with Hub(tmp_path / "hub") as hub:
        yield GateRunner.create(tmp_path, hub, monkeypatch)
