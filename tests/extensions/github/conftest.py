"""Fixtures: those of the core's tests of GitHub, and runners for the Action's three jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRepo, git
from tests.extensions.github.api.conftest import hub, no_backoff, repo, sign_in
from tests.extensions.github.gate_runner import GateRunner
from tests.extensions.github.publish_runner import BOT, CORE, RIGHTS, PublishRunner
from tests.extensions.github.solve_runner import FILES, Job, set_up
from tests.github_server import Hub

__all__ = ["hub", "no_backoff", "repo", "sign_in"]


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
