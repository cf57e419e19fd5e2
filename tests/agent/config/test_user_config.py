"""Writing the user's own configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config.user_config import write
from trajectories.errors import ConfigError


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """As by SWE_AGENT_CONFIG=/dev/null, which root may replace."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is not a file"):
        write(pipe, "budget = 1.0")
    assert pipe.is_fifo()
