"""A GitHub of our own, who is asking there, and the Action's jobs in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.github.gate_runner import Gated
from tests.agent.github.publish_runner import BOT, CORE, RIGHTS, World
from tests.agent.github.solve_runner import FILES, Job, set_up
from tests.conftest import MakeRepo, git
from tests.github_server import Hub, Repo


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.github.api.request_retries.BACKOFF", 0.0)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """octo/calc is there; the environment is somebody's on another server than github.com, without a token."""
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
def as_(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`as_("ada")` goes on with a token of hers; `as_(BOT, issues="read")` with an app's that may no more."""

    def change(login: str, **permissions: str) -> None:
        app = login.endswith("[bot]")
        given = {name.replace("_", "-"): level for name, level in permissions.items()}
        monkeypatch.setenv("GITHUB_TOKEN", hub.token(f"t-{login}", login, given if app else None, app=app))

    return change


@pytest.fixture
def job(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A checkout of a calculator, and what Actions sets for a step."""
    set_up(tmp_path, monkeypatch)
    return Job(tmp_path, make_repo(FILES))


@pytest.fixture
def world(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    source = make_repo({"core.py": CORE, "README.md": "# Calc\n"})
    bare = tmp_path / "calc.git"
    git(tmp_path, "clone", "-q", "--bare", str(source), str(bare))
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    with Hub(tmp_path) as hub:
        hub.token("publish", BOT, permissions=RIGHTS, app=True)
        repo = hub.repo("octo/calc", git=bare)
        yield World(hub, repo, source, tmp_path, monkeypatch)


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:
    with Hub(tmp_path / "hub") as hub:
        yield Gated.begun(tmp_path, hub, monkeypatch)
