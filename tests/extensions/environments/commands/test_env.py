"""`swe-agent env` with the environments on this machine. No Docker daemon is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.docker import docker_daemon
from extensions.environments import host_environment
from extensions.environments.commands.env import command
from tests.conftest import MakeRepo
from trajectories.errors import WorkspaceError

PYTHON = {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["six"]\n', "x.py": ""}


@pytest.fixture
def repository(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(docker_daemon, "connect", lambda *_: pytest.fail("Docker is not needed"))

    def set_up(plan: object, folder: Path, *_: object) -> None:
        (folder / host_environment.FILES / "venv").mkdir(parents=True)
        (folder / host_environment.READY).write_text('{"repository": "shop"}')

    monkeypatch.setattr(host_environment, "_set_up", set_up)
    return make_repo(PYTHON)


def run_env(verb: str, capsys: pytest.CaptureFixture, **options: object) -> dict:
    assert command(verb, json=True, **{"workspace": "sandbox", **options}) == 0  # type: ignore[arg-type]
    answer: dict = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.slow
def test_environment_on_this_machine_is_built_listed_and_pruned(repository: Path, capsys) -> None:
    planned = run_env("why", capsys, repo=str(repository))
    assert planned["image"] == ""
    assert planned["reasons"][0].startswith("The Python of this machine is used")
    built = run_env("build", capsys, repo=str(repository))["built"]
    assert Path(built).is_dir()
    assert any(f"It is set up in {Path(built).parents[1]}." in each for each in planned["reasons"]) is False
    assert f"It is set up in {Path(built).parents[1]}." in run_env("why", capsys, repo=str(repository))["reasons"]
    (listed,) = run_env("list", capsys)["environments"]
    assert (listed["repository"], listed["folder"]) == ("shop", str(Path(built).parents[1]))
    assert run_env("prune", capsys)["removed"] == []
    assert run_env("prune", capsys, days=0) == {"removed": [listed]}
    assert run_env("list", capsys) == {"environments": []}


def test_why_names_the_source_of_documented_commands(repository: Path, capsys) -> None:
    agents = "## Set-up\n\n    pip install -r ci/extra.txt\n\nTest with `make test`.\n"
    (repository / "AGENTS.md").write_text(agents)
    (repository / "Makefile").write_text("test:\n\t./own-runner\n")
    (repository / "ci").mkdir()
    (repository / "ci/extra.txt").write_text("attrs\n")
    planned = run_env("why", capsys, repo=str(repository))
    added = {"command": "pip install -r ci/extra.txt", "why": "AGENTS.md, line 3 names this set-up"}
    assert planned["setup"][-1] == added
    assert planned["test"] == {"command": "make test", "from": "AGENTS.md, line 5"}
    command("why", repo=str(repository), workspace="sandbox", plain=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert "AGENTS.md, line 3 names this set-up" in shown
    assert "Tests run with `make test`, from AGENTS.md, line 5." in shown


def test_setting_and_missing_daemon_choose_this_machine(repository: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "sandbox")
    assert run_env("list", capsys, workspace=None) == {"environments": []}
    monkeypatch.delenv("SWE_AGENT_WORKSPACE")
    monkeypatch.setattr(docker_daemon, "daemon_listens", lambda: False)
    monkeypatch.setattr("aci.runtime.sandbox_availability.sandbox_error", lambda: None)
    assert run_env("list", capsys, workspace=None) == {"environments": []}


def test_set_up_without_isolation_needs_consent(repository: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(host_environment, "sandbox_error", lambda: WorkspaceError("none"))
    monkeypatch.setattr(host_environment, "has_packages", lambda *_: False)
    with pytest.raises(WorkspaceError, match="not set up"):
        command("build", repo=str(repository), workspace="local", plain=True)


def test_nothing_to_build_is_said(repository: Path, make_repo: MakeRepo, capsys) -> None:
    assert command("build", repo=str(make_repo({"README": ""})), workspace="sandbox", plain=True) == 0
    assert "There is nothing to build." in capsys.readouterr().out
