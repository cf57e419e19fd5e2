"""The user's config file and how files beside it are written."""

from __future__ import annotations

import os
from pathlib import Path

from trajectories.errors import ConfigError


def user_file() -> Path:
    """Return the path of the user's config file, which may not exist."""
    if named := os.environ.get("SWE_AGENT_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("swe-agent") / "config.toml"


def write_user_file(target: Path, text: str) -> None:
    """Write a user's file atomically; a symbolic link is followed. Raises ConfigError.

    A new file is readable only by its owner.
    """
    from trajectories.journal import write_durably

    target = target.resolve()
    if target.exists() and not target.is_file():
        raise ConfigError(f"{target} is not a file.", "Set SWE_AGENT_CONFIG to a file.")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(target, text.encode())
        target.chmod(mode)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}.", "Check its permissions.") from None
