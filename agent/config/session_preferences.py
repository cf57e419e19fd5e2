"""Preferences for the look and notifications of the terminal session: the `[session]` table of the user's config.

They are not part of a run's settings and do not affect the journal. This module imports little, because the screen is
drawn before anything else is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from agent.config.user_file import user_file
from trajectories.errors import ConfigError, UsageError
from trajectories.file_limits import read_config

TABLE = "session"
OWN_THEMES = ("auto", "dark", "light", "ansi")
"""The themes besides Textual's; `auto` is the one that fits the terminal."""
HELP = "Use `swe-agent config set session.NAME VALUE` to set one."


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of the terminal session.

    - `screen`: the full screen, or inline below the terminal's output (auto: full if there is room)
    - `theme`: a name, or auto for one that fits the terminal
    - `mouse`: whether the session captures the mouse; otherwise the terminal selects text
    - `notify`: how the session notifies the user when it needs input or is done
    """

    screen: Literal["auto", "full", "inline"] = "auto"
    theme: str = "auto"
    mouse: bool = True
    notify: Literal["auto", "off", "bell", "osc9", "osc777"] = "auto"


NAMES = tuple(field.name for field in fields(Preferences))


def load_preferences(screen: str | None = None) -> Preferences:
    """Load the preferences from the user's config; `screen` is the value of the flag `--screen`, which takes
    precedence, or None.

    Raises ConfigError for an invalid config, and UsageError for an invalid flag.
    """
    table = _table()
    if unknown := sorted(table.keys() - set(NAMES)):
        raise ConfigError(
            f"{user_file()} sets session.{unknown[0]}, which does not exist.", f"[session] has {', '.join(NAMES)}."
        )
    for name, value in table.items():
        if why := invalid_reason(name, value):
            raise ConfigError(f"Invalid value for session.{name} in {user_file()}: {why}.", HELP)
    if screen is None:
        return Preferences(**table)
    if why := invalid_reason("screen", screen):
        raise UsageError(f"Invalid value for --screen: {why}.", "See `swe-agent session --help`.")
    return Preferences(**(table | {"screen": screen}))


def invalid_reason(name: str, value: Any) -> str:
    """Return why a value is not valid for a preference; "" if it is."""
    kind = get_type_hints(Preferences)[name]
    if kind is bool:
        return "" if isinstance(value, bool) else f"{value!r} is neither true nor false"
    if not isinstance(value, str) or not value.isprintable() or not value:
        return f"{value!r} is not plain text"
    choices = get_args(kind)
    return "" if not choices or value in choices else f"{value!r} is not one of {', '.join(choices)}"


def parse_preference(name: str, text: str) -> Any:
    """Parse the value of a preference. Raises UsageError."""
    value: Any = text.strip()
    if get_type_hints(Preferences)[name] is bool:
        value = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(
            text.lower(), text
        )
    if why := invalid_reason(name, value):
        raise UsageError(f"Invalid value for session.{name}: {why}.", "Nothing was written.")
    return value


def _table() -> dict[str, Any]:
    """Return the `[session]` table of the config file; empty if the file cannot be read, since loading the settings
    reports that error."""
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
        raise ConfigError(f"session in {user_file()} is not a table.", "Write [session] on a line of its own.")
    return table
