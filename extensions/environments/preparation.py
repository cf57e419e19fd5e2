"""The environment of a run: an image, or a Python environment on this machine, made on first use."""

from __future__ import annotations

from dataclasses import replace

from aci.environments.environment_plan import EnvironmentOptions
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.environment import environment_for, plan_for
from extensions.environments.host_environment import add_environment


def prepare(
    options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str
) -> tuple[WorkspaceOptions, list[str]]:
    """See `aci.environments.preparation.prepare_environment`."""
    if workspace != "docker":
        return add_environment(options, settings, workspace), []
    options = replace(options, image=environment_for(options, settings))
    return options, [command.text for command in plan_for(options, settings).setup]
