"""How the session looks and how it calls: `[session]` of the user's config. No part of a run's settings, so a journal
is the same whatever they are. Imports little: a terminal is painted before anything else is loaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from trajectories.errors import ConfigError, UsageError
from trajectories.limits import read_config

TABLE = "session"
HELP = "`swe-agent config set session.NAME VALUE` sets one."


@dataclass(frozen=True, slots=True)
class Preferences:
    """`screen`: the whole of it, or inline below what the terminal shows (auto: full where there is room). `theme`: a
    name, or auto for what fits the terminal. `mouse`: whether the session takes it; without, the terminal selects text.
    `notify`: how it calls when it needs the user or is done."""

    screen: Literal["auto", "full", "inline"] = "auto"
    theme: str = "auto"
    mouse: bool = True
    notify: Literal["auto", "off", "bell", "osc9", "osc777"] = "auto"


NAMES = tuple(field.name for field in fields(Preferences))


def load_preferences(screen: str | None = None) -> Preferences:
    """What the user's config says, and over it the flag `--screen` (None: not given). Raises ConfigError, and
    UsageError for the flag."""
    table = _table()
    if unknown := sorted(table.keys() - set(NAMES)):
        raise ConfigError(f"There is no session.{unknown[0]}, which {user_file()} sets.", f"It has {', '.join(NAMES)}.")
    for name, value in table.items():
        if why := wrong(name, value):
            raise ConfigError(f"session.{name} in {user_file()} cannot be used: {why}.", HELP)
    if screen is None:
        return Preferences(**table)
    if why := wrong("screen", screen):
        raise UsageError(f"--screen cannot be used: {why}.", "See `swe-agent session --help`.")
    return Preferences(**(table | {"screen": screen}))


def wrong(name: str, value: Any) -> str:
    """Why a preference cannot be this value; empty where it can."""
    kind = get_type_hints(Preferences)[name]
    if kind is bool:
        return "" if isinstance(value, bool) else f"{value!r} is neither true nor false"
    if not isinstance(value, str) or not value.isprintable() or not value:
        return f"{value!r} is no word"
    choices = get_args(kind)
    return "" if not choices or value in choices else f"{value!r} is none of {', '.join(choices)}"


def parsed(name: str, text: str) -> Any:
    """What a user writes for a preference. Raises UsageError."""
    value: Any = text.strip()
    if get_type_hints(Preferences)[name] is bool:
        value = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(
            text.lower(), text
        )
    if why := wrong(name, value):
        raise UsageError(f"session.{name} cannot be used so: {why}.", "Nothing was written.")
    return value


def user_file() -> Path:
    """The user's own config file, as `agent/settings.py` finds it."""
    if named := os.environ.get("SWE_AGENT_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("swe-agent") / "config.toml"


def _table() -> dict[str, Any]:
    """The config file's own table; nothing of a file that is not there or cannot be read, which settings tell of."""
    try:
        text = read_config(user_file()).decode("utf-8")
    except (OSError, ValueError, UsageError):
        return {}
    import tomllib

    try:
        table = tomllib.loads(text).get(TABLE, {})
    except (ValueError, RecursionError):
        return {}
    if not isinstance(table, dict):
        raise ConfigError(f"session in {user_file()} is no table.", "Write [session] on a line of its own.")
    return table
