"""What `doctor` reports about the workspace if Docker is not used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aci.docker import docker_daemon
from aci.repository.user_repository import Repository
from aci.runtime import sandbox_availability
from agent.cli.health_finding import Finding
from agent.config.settings import Settings
from extensions.housekeeping.health_checks import run_health_checks
from extensions.housekeeping.workspace_checks import LOCAL, MISSING
from trajectories import plugins
from trajectories.errors import WorkspaceError

BROKEN = WorkspaceError("The sandbox cannot be used: it is broken.", "Repair it.")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without Docker on which a sandbox works."""
    monkeypatch.setattr(docker_daemon, "daemon_listens", lambda: False)
    monkeypatch.setattr(sandbox_availability, "sandbox_error", lambda: None)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def checks(folder: Path, **settings: object) -> dict[str, Finding]:
    found = run_health_checks(Settings(state=folder, **settings))  # type: ignore[arg-type]
    return {finding.name: finding for finding in found}


def test_broken_sandbox_is_a_failure_with_a_fix(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(sandbox_availability, "sandbox_error", lambda: BROKEN)
    assert checks(tmp_path, workspace="sandbox")["workspace"] == Finding(
        "workspace", False, BROKEN.message, BROKEN.fix, WorkspaceError.code
    )


def test_local_workspace_needs_no_sandbox(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(sandbox_availability, "sandbox_error", lambda: BROKEN)
    found = checks(tmp_path, workspace="local")
    assert found["workspace"] == LOCAL
    assert "gets one" not in found["python"].found


def test_missing_extension_is_a_warning(
    machine: pytest.MonkeyPatch, tmp_path: Path, make_repo: Callable[[dict[str, str]], Path]
) -> None:
    machine.setattr(plugins, "extension_names", lambda: ())
    source = Repository.open(make_repo({"setup.py": ""}))
    found = {one.name: one for one in run_health_checks(Settings(state=tmp_path, workspace="local"), source)}
    assert found["environment"] == MISSING
    assert "gets one" not in found["python"].found
    assert "tests" not in found


def test_missing_docker_is_reported(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(sandbox_availability, "sandbox_error", lambda: BROKEN)
    machine.setattr(docker_daemon, "connect", _no_docker)
    found = checks(tmp_path, workspace="docker")["docker"]
    assert (found.ok, found.found, found.fix) == (False, "Docker is not running.", "Start it.")


def _no_docker() -> None:
    raise WorkspaceError("Docker is not running.", "Start it.")
