"""`swe-agent review` and `swe-agent prove`: the models that they ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.cli.command_line import run
from agent.config.settings import Settings
from agent.conversation.model_roles import validate_models
from tests.conftest import MakeRepo, git
from trajectories.errors import ConfigError


@pytest.fixture
def repository(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, a repository with a branch `change`."""
    folder = make_repo({"a.py": "x = 1\n"})
    git(folder, "branch", "-M", "main")
    git(folder, "checkout", "-qb", "change")
    (folder / "a.py").write_text("x = 2\n")
    git(folder, "commit", "-qam", "Change")
    git(folder, "checkout", "-q", "main")
    monkeypatch.chdir(folder)
    return folder


def settings_of(command: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings with which a command starts its run."""
    given: list[Any] = []
    monkeypatch.setattr("agent.console.foreground_run.drive_new", lambda *values: given.extend(values) or 5)
    assert run([command, "--branch", "change", "--workspace", "docker", *arguments]) == 5
    settings: Settings = given[2]
    return settings


@pytest.mark.parametrize("command", ["prove", "review"])
def test_configured_model_is_neither_asked_nor_checked(
    command: str, repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    own_config.write_text('model = "openai/gpt-4.1"\n[roles]\ncoder = "openai/gpt-4.1-mini"\n')
    settings = settings_of(command, monkeypatch=monkeypatch)
    assert settings.model == ""
    assert validate_models(settings, settings.strategy) == (settings, ())


def test_model_of_the_command_line_is_asked(
    repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = settings_of("review", "--model", "openai/gpt-4.1", monkeypatch=monkeypatch)
    with pytest.raises(ConfigError):
        validate_models(settings, settings.strategy)
