"""Writes to the user's own configuration."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from agent.config.user_config import change
from agent.config.user_file import write_user_file
from trajectories.errors import ConfigError, UsageError


def test_write_does_not_replace_special_file(tmp_path: Path) -> None:
    """With SWE_AGENT_CONFIG=/dev/null, root could replace the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is not a file"):
        write_user_file(pipe, "budget = 1.0")
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("modle", "model"),
        ("max-steps", "max_steps"),
        ("sesion.theme", "session.theme"),
        ("session.them", "session.theme"),
        ("models.openai/m.api_bas", "api_base"),
    ],
)
def test_misspelt_setting_gets_a_suggestion(written: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"Did you mean `{meant}`") as raised:
        change(written, "x")
    assert raised.value.message.startswith(("There is no setting named", "A model's table has no field"))


def test_unlike_setting_gets_no_suggestion() -> None:
    with pytest.raises(UsageError, match=r"^There is no setting named 'colour'\.$"):
        change("colour", "red")


def test_model_of_a_role_is_set(own_config: Path) -> None:
    change("roles.lesson_writer", "anthropic/claude-haiku-4-5")
    change("roles.judge", "openai/qwen3")
    roles = {"lesson_writer": "anthropic/claude-haiku-4-5", "judge": "openai/qwen3"}
    assert tomllib.loads(own_config.read_text())["roles"] == roles
    with pytest.raises(UsageError, match="roles is a table, not a value"):
        change("roles", "openai/qwen3")
