"""The source of a run's image, set-up and test command: the user's settings, a flag or the repository."""

from __future__ import annotations

import tomllib

from agent.config.settings import REPOSITORY, Settings, load_settings, origins


def option_source(settings: Settings, of_repository: bytes) -> dict[str, str]:
    """Return descriptions of where `image`, `setup` and `test` of these settings come from, for
    `EnvironmentOptions.named`.

    A run's settings do not record their sources. They are found by comparing the values with the user's current
    settings and the repository's `.swe-agent.toml`. An image found in neither of them must have been given on the
    command line. Raises ConfigError.
    """
    today, sources, theirs = load_settings(), origins(), _read_repository(of_repository)
    found: dict[str, str] = {}
    for name in ("image", "setup", "test"):
        value = getattr(settings, name)
        if value and name in sources and getattr(today, name) == value:
            found[name] = sources[name]
        elif value and theirs.get(name) == value:
            found[name] = REPOSITORY
        elif value and name == "image":
            found[name] = "--image"
    return found


def _read_repository(of_repository: bytes) -> dict[str, object]:
    try:
        return tomllib.loads(of_repository.decode("utf-8"))
    except (ValueError, RecursionError):  # the settings were not loaded from this file
        return {}
