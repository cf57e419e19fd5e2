"""Fixtures for attacks: a repository on the fake GitHub server, with users and the Action's jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, write
from tests.extensions.github.attacks.attack_repository import BOT, GATE, PUBLISH, AttackTarget, copy_tree
from tests.github_server import Hub


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calc")
    write(folder / "work", {**CALCULATOR, "AGENTS.md": "Run the tests with unittest.\n"})
    git(folder / "work", "init", "-q", "-b", "main")
    git(folder / "work", "add", "-A")
    git(folder / "work", "commit", "-qm", "A calculator")
    git(folder, "clone", "-q", "--bare", "work", "calc.git")
    return folder / "calc.git"


@pytest.fixture
def target(tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AttackTarget]:
    """octo/calc: ada may write, tri may triage, bob may read, mallory has no role."""
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    with Hub(tmp_path / "hub") as hub:
        repo = hub.repo("octo/calc", git=copy_tree(bare, tmp_path / "calc.git"))
        repo.permissions |= {"ada": "write", "tri": "triage", "bob": "read"}
        hub.user(BOT, kind="Bot")
        hub.token("gate", BOT, permissions=GATE, app=True)
        hub.token("publish", BOT, permissions=PUBLISH, app=True)
        (tmp_path / "jobs").mkdir()
        yield AttackTarget(hub, repo, tmp_path / "jobs", monkeypatch)
