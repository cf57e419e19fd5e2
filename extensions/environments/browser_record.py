"""The browser of an existing environment, as its record or its image names it."""

from __future__ import annotations

from aci.docker.docker_daemon import connect
from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.environment_records import READY, read_object
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.environment import find_environment, list_environments
from extensions.environments.host_environment import find_host_plan


def recorded_browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> str:
    """Return which browser the existing environment has, or why it has none; "" if the environment does not exist.

    Raises WorkspaceError if Docker does not answer.
    """
    if workspace != "docker":
        found = find_host_plan(options, environment, workspace)
        return str(read_object(found[1] / READY).get("browser", "")) if found else ""
    image = find_environment(options, environment)
    daemon = connect()
    try:
        about = next((one.about for one in list_environments(daemon) if one.image == image), {})
    finally:
        daemon.rest()
    return str(about.get("browser", ""))
