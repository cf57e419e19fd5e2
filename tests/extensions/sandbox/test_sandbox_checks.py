"""What `doctor` reports about a sandbox, and the workspace without this extension."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.docker import docker_daemon
from agent.config.settings import Settings
from agent.config.workspace_choice import choose_workspace
from extensions.sandbox import availability
from tests.conftest import MakeRepo, OpenWorkspace
from tests.extensions.housekeeping.test_health_checks import checks, machine
from trajectories import plugins
from trajectories.errors import UsageError

__all__ = ["machine"]
MISSING = "The workspace `sandbox` is in the extension sandbox, which is not installed."


@pytest.fixture
def lacks_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())


def test_working_sandbox_is_reported_with_its_limits(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(availability, "systemd_run", lambda: ())
    found = checks(tmp_path, workspace="sandbox")
    assert found["workspace"].ok
    assert found["workspace"].found.startswith("bubblewrap sandbox: memory is limited for each process, not in total")
    assert "python" in found
    assert "docker" not in found
    machine.setattr(availability, "systemd_run", lambda: ("/usr/bin/systemd-run",))
    assert "limited in total by a systemd scope" in checks(tmp_path, workspace="sandbox")["workspace"].found


def test_sandbox_is_checked_if_it_would_be_chosen(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert checks(tmp_path)["workspace"] == checks(tmp_path, workspace="sandbox")["workspace"]


@pytest.mark.sandbox
def test_sandbox_of_this_machine_works(tmp_path: Path) -> None:
    found = checks(tmp_path, workspace="sandbox")["workspace"]
    assert found.ok, found


def test_missing_extension_is_a_failure_of_the_workspace(lacks_extension: None, tmp_path: Path) -> None:
    found = checks(tmp_path, workspace="sandbox")["workspace"]
    assert (found.ok, found.found) == (False, MISSING)


def test_missing_extension_is_no_reason_to_use_a_workspace_without_isolation(
    lacks_extension: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_daemon, "daemon_listens", lambda: False)
    monkeypatch.delenv("SWE_AGENT_WORKSPACE", raising=False)
    assert choose_workspace(Settings(), pytest.fail).workspace == "docker"
    assert choose_workspace(Settings(), pytest.fail, "sandbox").workspace == "sandbox"


def test_workspace_names_its_missing_extension(
    lacks_extension: None, open_ws: OpenWorkspace, make_repo: MakeRepo
) -> None:
    with pytest.raises(UsageError, match="The workspace `sandbox` is in the extension sandbox, which is not installed"):
        open_ws("sandbox", make_repo({"a.py": ""}))
