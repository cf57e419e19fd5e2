"""Who named the image and the set-up that a run uses: the user, in one way or another, or the repository."""

from __future__ import annotations

import tomllib

from agent.settings import REPOSITORY, Settings, load_settings, origins


def named(settings: Settings, of_repository: bytes) -> dict[str, str]:
    """Where `image` and `setup` of these settings are from, in words, as `Wishes.named` has it.

    A run's settings say what, and not whence: it is found by what the user's settings say today, and by its
    `.swe-agent.toml`. An image that neither says was given with the command. Raises ConfigError.
    """
    today, where, theirs = load_settings(), origins(), _said(of_repository)
    found: dict[str, str] = {}
    for name in ("image", "setup"):
        value = getattr(settings, name)
        if value and name in where and getattr(today, name) == value:
            found[name] = where[name]
        elif value and theirs.get(name) == value:
            found[name] = REPOSITORY
        elif value and name == "image":
            found[name] = "--image"
    return found


def _said(of_repository: bytes) -> dict[str, object]:
    try:
        return tomllib.loads(of_repository.decode("utf-8"))
    except (ValueError, RecursionError):  # the settings were not made of it
        return {}
