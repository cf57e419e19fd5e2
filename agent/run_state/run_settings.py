"""The settings under which a recorded run is continued: its record counts only if the run is the user's own.

Precedence: administrator's policy > flag > the user's current connection settings > the record. Of an untrusted run
only `image`, `setup` and `test` count, as in a repository's own `.swe-agent.toml`: after the user's own settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.settings import NOWHERE, OF_REPOSITORY, Settings, load_settings, under_policy, with_coder
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from trajectories.trajectory import Trajectory

CURRENT = {"first_timeout", "model_timeout", "max_reply", "retry_wait", "permissions"}
CURRENT_OF_MODEL = {"api_base", "key_env", "price_in", "price_out", "price_cached", "price_written", "fallback"}
"""Settings that a resumed run takes as they are today. None of them shapes what a model is sent."""
BOUNDARY = "Choose --workspace docker; --workspace local runs its commands on this machine, as you."


def recorded_in(trajectory: Trajectory) -> dict[str, Any]:
    """What the run's record, and then its turns, say of settings."""
    assert trajectory.run is not None
    changed = {name: value for turn in trajectory.turns for name, value in turn.settings.items()}
    said = {"experience": False} | trajectory.run.settings | changed  # the first versions had no experience
    return {name: value for name, value in said.items() if name in Settings.model_fields or not _is_setting(name)}


def _is_setting(name: str) -> bool:
    """In whatever letters: pydantic would take it."""
    return name.casefold() in Settings.model_fields


def of_own_run(trajectory: Trajectory, state: Path, **flags: Any) -> Settings:
    """Those that the run was created with, under today's policy; where its models are, their keys and prices, and how
    long they may be silent are as the user's configuration says today. Raises ConfigError and UsageError."""
    settings = Settings(**with_coder(recorded_in(trajectory)), state=state)
    today = load_settings(**flags)
    current: dict[str, Any] = {name: getattr(today, name) for name in CURRENT & today.model_fields_set}
    current |= {name: getattr(today, name) for name, value in flags.items() if value is not None}
    current["experience"] = settings.experience and today.experience
    models = dict(settings.models)
    for name, table in today.models.items():
        own = table.model_dump(include=CURRENT_OF_MODEL, exclude_unset=True)
        models[name] = models[name].model_copy(update=own) if name in models else table
    ruled = under_policy(settings.model_copy(update=current | {"models": models}), today)
    return ruled.model_copy(update={"experience": ruled.experience and settings.experience})


def of_untrusted_run(said: Mapping[str, Any], where: Path, today: Settings, flags: Mapping[str, Any]) -> Settings:
    """The user's settings of today, with `image`, `setup` and `test` of the record where the user says nothing.

    Raises UsageError for an image that a repository may not name either, and where the run's commands would run
    without a boundary although the `flags` of the command do not say so.
    """
    from aci.environments.devcontainer import image_of_strangers

    if today.workspace == "local" and flags.get("workspace") != "local":
        raise UsageError(f"{where} is not among your runs, and its commands would run without a boundary.", BOUNDARY)
    theirs = {name: said[name] for name in sorted(OF_REPOSITORY) if isinstance(said.get(name), str) and said[name]}
    theirs = {name: value for name, value in theirs.items() if name not in today.model_fields_set}
    if why := image_of_strangers(theirs.get("image", "")) if "image" in theirs else "":
        what = f"The image {theirs['image'][:80]!r} of the run in {where} is not used: {why}."
        raise UsageError(what, "If you trust it, name it with --image.")
    return today.model_copy(update={**theirs, **NOWHERE, "experience": False})
