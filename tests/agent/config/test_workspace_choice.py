"""The choice of a workspace if the user has not named one."""

from __future__ import annotations

import pytest

from aci.docker import docker_daemon
from aci.runtime import sandbox_availability
from agent.config.settings import Settings
from agent.config.workspace_choice import choose_workspace
from trajectories.errors import UsageError, WorkspaceError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without Docker on which a sandbox works."""
    monkeypatch.setattr(docker_daemon, "daemon_listens", lambda: False)
    monkeypatch.setattr(sandbox_availability, "sandbox_error", lambda: None)
    monkeypatch.delenv("SWE_AGENT_WORKSPACE", raising=False)
    return monkeypatch


def test_sandbox_is_chosen_without_docker(machine: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    settings = Settings(model="m", memory="1g")
    chosen = choose_workspace(settings, said.append)
    assert chosen.workspace == "sandbox"
    assert chosen.model_copy(update={"workspace": settings.workspace}) == settings
    assert said == ["Docker does not answer, so commands run in a bubblewrap sandbox."]


def test_docker_is_kept_if_its_daemon_listens(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(docker_daemon, "daemon_listens", lambda: True)
    said: list[str] = []
    settings = Settings()
    assert choose_workspace(settings, said.append) is settings
    assert (settings.workspace, said) == ("docker", [])


def test_docker_is_kept_if_no_sandbox_works(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(sandbox_availability, "sandbox_error", lambda: WorkspaceError("It cannot be used."))
    said: list[str] = []
    settings = Settings()
    assert choose_workspace(settings, said.append) is settings
    assert said == []


@pytest.mark.parametrize(
    "named",
    [
        *({"workspace": "docker"}, {"workspace": "local"}, {"image": "mine:1"}),
        {"services": {"db": {"image": "postgres:16"}}},
    ],
)
def test_choice_of_the_user_is_kept(machine: pytest.MonkeyPatch, named: dict[str, object]) -> None:
    settings = Settings(**named)  # type: ignore[arg-type]
    assert choose_workspace(settings, pytest.fail) is settings


def test_workspace_of_the_environment_is_kept(machine: pytest.MonkeyPatch) -> None:
    from agent.config.settings import load_settings

    machine.setenv("SWE_AGENT_WORKSPACE", "docker")
    assert choose_workspace(load_settings(), pytest.fail).workspace == "docker"
    machine.delenv("SWE_AGENT_WORKSPACE")
    assert choose_workspace(load_settings(), lambda text: None).workspace == "sandbox"


def test_record_cannot_choose_a_workspace_without_isolation(machine: pytest.MonkeyPatch) -> None:
    """A folder of results may come from somebody else."""
    with pytest.raises(UsageError, match="does not isolate"):
        choose_workspace(Settings(), pytest.fail, "local")
    assert choose_workspace(Settings(workspace="local"), pytest.fail, "local").workspace == "local"
    assert choose_workspace(Settings(), pytest.fail, "sandbox").workspace == "sandbox"


@pytest.mark.parametrize("recorded", ["nonsense", "Docker", "remote\x1b[2J", " local", ["local"], 7])
@pytest.mark.parametrize("named", [{}, {"workspace": "local"}, {"workspace": "docker"}, {"image": "mine:1"}])
def test_unknown_workspace_in_a_record_is_named(
    machine: pytest.MonkeyPatch, recorded: str, named: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match="names a workspace that does not exist") as error:
        choose_workspace(Settings(**named), pytest.fail, recorded)  # type: ignore[arg-type]
    assert "isolate" not in error.value.message
    assert "\x1b" not in error.value.message
