"""The settings' options for environments and services, in the form that `aci/` expects."""

from __future__ import annotations

from collections.abc import Mapping

from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.registries import local_certificates
from aci.runtime.workspace import Service
from agent.config.settings import Settings


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
