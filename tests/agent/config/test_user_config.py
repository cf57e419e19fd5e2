"""Writes to the user's own configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config.user_config import write
from trajectories.errors import ConfigError


def test_write_does_not_replace_special_file(tmp_path: Path) -> None:
    """With SWE_AGENT_CONFIG=/dev/null, root could replace the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is not a file"):
        write(pipe, "budget = 1.0")
    assert pipe.is_fifo()
