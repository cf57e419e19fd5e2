"""The settings' options for environments and services, in the form that `aci/` expects, and where they come from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.registries import local_certificates
from aci.runtime.workspace import Service
from agent.config.settings import REPOSITORY, Settings, load_settings, origins


def environment_options(settings: Settings, named: Mapping[str, str] | None = None) -> EnvironmentOptions:
    """Return the options of an environment. `named` describes where `image`, `setup` and `test` come from. The
    certificates of this machine are trusted by default."""
    return EnvironmentOptions(
        image=settings.image,
        setup=settings.setup,
        test=settings.test,
        named=named or {},
        images=settings.images,
        hosts=settings.registries,
        certificates=str(settings.certificates or local_certificates() or ""),
        set_up_environment=settings.setup_env,
        seconds=settings.setup_time,
        instructions=settings.instructions,
        browser=settings.browser,
        serves=bool(settings.serve),
    )


def services(settings: Settings, repository: str) -> tuple[Service, ...]:
    """Return the services that the user configured to run beside a workspace of this repository."""
    selected = {
        name: table for name, table in settings.services.items() if repository in (table.repositories or [repository])
    }
    return tuple(Service(name, **table.model_dump(exclude={"repositories"})) for name, table in selected.items())


def option_source(settings: Settings, of_repository: bytes) -> dict[str, str]:
    """Return descriptions of where `image`, `setup` and `test` of these settings come from, for
    `EnvironmentOptions.named`.

    A run's settings do not record their sources. They are found by comparing the values with the user's current
    settings and the repository's `.swe-agent.toml`. An image found in neither of them must have been given on the
    command line. Raises ConfigError.
    """
    today, sources, theirs = load_settings(), origins(), _read_repository(of_repository)
    origin: dict[str, str] = {}
    for name in ("image", "setup", "test"):
        value = getattr(settings, name)
        if value and name in sources and getattr(today, name) == value:
            origin[name] = sources[name]
        elif value and theirs.get(name) == value:
            origin[name] = REPOSITORY
        elif value and name == "image":
            origin[name] = "--image"
    return origin


def _read_repository(of_repository: bytes) -> dict[str, object]:
    try:
        return tomllib.loads(of_repository.decode("utf-8"))
    except (ValueError, RecursionError):  # the settings were not loaded from this file
        return {}
