"""`swe-agent review`: the models that it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.conversation.model_roles import validate_models
from tests.agent.cli.commands.test_prove import check_unasked, repository, settings_of
from trajectories.errors import ConfigError

__all__ = ["repository"]


def test_configured_model_is_neither_asked_nor_checked(
    repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_unasked("review", own_config, monkeypatch)


def test_model_of_the_command_line_is_asked(
    repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = settings_of("review", "--model", "openai/gpt-4.1", monkeypatch=monkeypatch)
    with pytest.raises(ConfigError):
        validate_models(settings, settings.strategy)
