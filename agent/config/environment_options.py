"""What the settings wish of an environment and what runs beside it, as `aci/` takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aci.environments.plan import Wishes
from aci.services import Service
from agent.settings import Settings


def wishes(settings: Settings, named: Mapping[str, str] | None = None) -> Wishes:
    """`named` tells where `image` and `setup` are from, in words. Certificates of this machine's own are trusted."""
    return Wishes(
        image=settings.image,
        setup=settings.setup,
        test=settings.test,
        named=named or {},
        images=settings.images,
        hosts=settings.registries,
        certificates=str(settings.certificates or _of_this_machine() or ""),
        set_up_environment=settings.setup_env,
        seconds=settings.setup_time,
    )


def services(settings: Settings, repository: str) -> tuple[Service, ...]:
    """What the user approved to run beside a workspace of the repository of that name."""
    meant = {
        name: table for name, table in settings.services.items() if repository in (table.repositories or [repository])
    }
    return tuple(Service(name, **table.model_dump(exclude={"repositories"})) for name, table in meant.items())


def _of_this_machine() -> Path | None:
    from aci.environments.registries import bundle_of_this_machine

    return bundle_of_this_machine()
