"""The settings of a resumed run: recorded settings are trusted only if the run is the user's own.

Precedence: administrator's policy > flag > the user's current connection settings > the record. The settings for a copy
of an untrusted run are in `untrusted_run.py` (`settings_of_untrusted_run`).

The origin of a run tells whether it replays or continues an untrusted one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.config.settings import NOWHERE, Settings, apply_coder_role, load_settings, under_policy
from agent.run_state.run_ownership import UNTRUSTED
from trajectories.trajectory import Trajectory

CURRENT = {"first_timeout", "model_timeout", "max_reply", "retry_wait", "permissions"}
CURRENT_OF_MODEL = {"api_base", "key_env", "price_in", "price_out", "price_cached", "price_written", "fallback"}
"""Settings that a resumed run takes from the current configuration. None of them affects the requests to a model."""
UNRECORDED = {"experience": False, "instructions": False, "user_memory": False}
"""Settings that a resumed run uses only if both the run and the current configuration switch them on, with their values
in runs of earlier versions, which did not record them."""
LIMITS = ("budget", "max_tokens")
"""Settings of which the lower value holds: the run's own, or that of the policy."""
ISOLATION = "Choose --workspace docker; --workspace local runs its commands on this machine, as you."


def recorded_settings(trajectory: Trajectory) -> dict[str, Any]:
    """Return the recorded settings of the run and of its turns."""
    assert trajectory.run is not None
    changed = {name: value for turn in trajectory.turns for name, value in turn.settings.items()}
    said = UNRECORDED | trajectory.run.settings | changed
    return {name: value for name, value in said.items() if name in Settings.model_fields or not _is_setting(name)}


def _is_setting(name: str) -> bool:
    """Return whether this is the name of a setting, ignoring case as pydantic does."""
    return name.casefold() in Settings.model_fields


def settings_of_own_run(trajectory: Trajectory, state: Path, **flags: Any) -> Settings:
    """Return the settings with which the run was created, restricted by the current policy. The policy neither raises
    the run's budget nor delivers the patch of a run that was created without delivery.

    Addresses, keys, prices and time limits of models, permissions, hooks, MCP servers and `copy_files` are those
    of the current configuration. Raises ConfigError, UsageError.
    """
    settings = Settings(**apply_coder_role(recorded_settings(trajectory)), state=state)
    today = load_settings(**flags)
    current: dict[str, Any] = {name: getattr(today, name) for name in CURRENT & today.model_fields_set}
    current |= {name: getattr(today, name) for name, value in flags.items() if value is not None}
    current |= {name: getattr(settings, name) and getattr(today, name) for name in UNRECORDED}
    current |= {"hooks": today.hooks, "mcp": today.mcp, "copy_files": today.copy_files}
    models = dict(settings.models)
    for name, table in today.models.items():
        values = table.model_dump(include=CURRENT_OF_MODEL, exclude_unset=True)
        models[name] = models[name].model_copy(update=values) if name in models else table
    own = settings.model_copy(update=current | {"models": models})
    ruled = under_policy(own, today)
    kept = {name: getattr(own, name) and getattr(ruled, name) for name in (*UNRECORDED, *NOWHERE)}
    for name in LIMITS:
        kept[name] = min(
            (each for each in (getattr(own, name), getattr(ruled, name)) if each is not None), default=None
        )
    return ruled.model_copy(update=kept)


def has_untrusted_origin(trajectory: Trajectory) -> bool:
    """Return whether the run replays or continues one that is not the user's own, so that some of its replies are
    untrusted."""
    return any(note.data.get(UNTRUSTED) for note in trajectory.notes)
