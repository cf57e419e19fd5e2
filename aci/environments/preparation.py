"""The environment of a base: prepared by the extension `environments`; without it, an image is used as it is."""

from __future__ import annotations

from dataclasses import replace

from aci.environments.default_images import default_image
from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.tree_files import TreeFiles
from aci.runtime.workspace import WorkspaceOptions
from trajectories.plugins import installed_module, missing_extension

EXTENSION = "environments"
NOT_PREPARED = f"No environment was prepared, since the extension {EXTENSION} is not installed, so tests may not run."


def prepare_environment(
    options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str
) -> tuple[WorkspaceOptions, list[str]]:
    """Return the options of a workspace of this kind with the environment of the base, which is made if it does not
    exist, and the set-up commands of its image.

    Raises UsageError if it cannot be planned, or if set-up commands are named and the extension is not installed;
    WorkspaceError if an image cannot be built; and Cancelled.
    """
    if preparation := installed_module("aci.environments.preparation"):
        prepared: tuple[WorkspaceOptions, list[str]] = preparation.prepare(options, settings, workspace)
        return prepared
    if settings.setup:
        raise missing_extension("Set-up by the commands of `setup`", EXTENSION)
    options.say(NOT_PREPARED)
    return replace(options, image=image_without_set_up(options, settings)) if workspace == "docker" else options, []


def image_without_set_up(options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return the image that is used as it is: the one that the settings name, or else that of the base's language."""
    return settings.image or default_image(TreeFiles(options.trees, options.base.tree), settings.images)
