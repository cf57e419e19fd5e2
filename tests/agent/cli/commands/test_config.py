"""`swe-agent config` in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.commands.config import command
from trajectories.errors import WorkspaceError


def test_values_in_pipe_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    test = f"python -m pytest {'tests/a-long-name ' * 20}-q"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWE_AGENT_TEST", test)
    monkeypatch.setenv("COLUMNS", "40")
    assert command() == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("test ")]
    assert rows == [f"test            {test}  Test command; by default, it is detected. From $SWE_AGENT_TEST."]


@pytest.mark.parametrize(
    ("sandbox_error", "value", "source"),
    [
        (None, "sandbox", " From this machine, where Docker does not answer."),
        (WorkspaceError("none"), "docker", ""),
    ],
)
def test_workspace_is_the_one_that_runs_would_use(
    sandbox_error: WorkspaceError | None,
    value: str,
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.delenv("SWE_AGENT_WORKSPACE", raising=False)
    monkeypatch.setattr("aci.runtime.sandbox_availability.sandbox_error", lambda: sandbox_error)
    assert command() == 0
    assert (
        f"workspace       {value:<16}  Where commands run; local is not isolated.{source}\n" in capsys.readouterr().out
    )
    assert command("get", "workspace") == 0
    assert capsys.readouterr().out == f"{value}\n"
    assert command("show", json=True) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["workspace"]["value"] == value


def test_workspace_that_is_set_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "docker")
    assert command("get", "workspace") == 0
    assert capsys.readouterr().out == "docker\n"
