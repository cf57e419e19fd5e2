"""`swe-agent prove`: the models that it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.cli.command_line import run
from agent.config.settings import Settings
from agent.conversation.model_roles import validate_models
from tests.conftest import MakeRepo, git


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


def check_unasked(command: str, own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a command neither asks nor checks the user's model."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    own_config.write_text('model = "openai/gpt-4.1"\n[roles]\ncoder = "openai/gpt-4.1-mini"\n')
    settings = settings_of(command, monkeypatch=monkeypatch)
    assert settings.model == ""
    assert validate_models(settings, settings.strategy) == (settings, ())


def test_configured_model_is_neither_asked_nor_checked(
    repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_unasked("prove", own_config, monkeypatch)


def test_sarif_file_needs_the_extension(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trajectories.plugins.extension_names", lambda: ())
    assert run(["prove", "--branch", "change", "--sarif", str(tmp_path / "prove.sarif")]) == 2
    assert "`prove --sarif` is in the extension review, which is not installed." in " ".join(
        capsys.readouterr().err.split()
    )
