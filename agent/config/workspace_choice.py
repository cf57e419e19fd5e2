"""The choice of a workspace if the user has not named one."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from agent.config.settings import Settings
from trajectories.errors import UsageError

ISOLATED = ("docker", "sandbox")


def choose_workspace(settings: Settings, say: Callable[[str], object], started_in: str = "") -> Settings:
    """Return the settings with a sandbox as the workspace if nothing names one, no Docker daemon answers, and a sandbox
    works here. If earlier results come from the workspace `started_in`, it stays unless the settings name another.

    Raises UsageError if there is no such workspace, whatever the settings name, because no results of this machine are
    comparable with those. Raises UsageError if that workspace does not isolate commands: a record, which may come from
    elsewhere, must not decide that code runs on this machine.
    """
    if started_in and started_in not in get_args(Settings.model_fields["workspace"].annotation):
        message = f"The record of the earlier results names a workspace that does not exist: {str(started_in)[:80]!r}."
        raise UsageError(message, "Restore the record from a copy, or use another --out.")
    if "workspace" in settings.model_fields_set:
        return settings
    if started_in in ISOLATED:
        return settings.model_copy(update={"workspace": started_in})
    if started_in:
        message = f"The earlier results come from the workspace {started_in!r}, which does not isolate commands."
        raise UsageError(message, "If you trust the code, give --workspace local; else use another --out.")
    if settings.model_fields_set & {"image", "services", "runtime", "read_only", "cpus"}:
        return settings
    from aci.docker.docker_daemon import daemon_listens

    if daemon_listens():
        return settings
    from aci.runtime.sandbox_availability import sandbox_error

    if sandbox_error():
        return settings
    say("Docker does not answer, so commands run in a bubblewrap sandbox.")
    return settings.model_copy(update={"workspace": "sandbox"})
