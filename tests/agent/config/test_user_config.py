"""Writes to the user's own configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config.user_file import write_user_file
from trajectories.errors import ConfigError


def test_write_does_not_replace_special_file(tmp_path: Path) -> None:
    """With SWE_AGENT_CONFIG=/dev/null, root could replace the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is not a file"):
        write_user_file(pipe, "budget = 1.0")
    assert pipe.is_fifo()
