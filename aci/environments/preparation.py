"""The environment of a base: prepared by the extension `environments`; without it, the image that the settings name or
that of the base's language is used as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aci.docker.base_image import DEFAULT_IMAGE
from aci.environments.environment_plan import EnvironmentOptions, Files
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


DEFAULT_IMAGES = {
    "python": DEFAULT_IMAGE,
    **{f"python3.{minor}": f"python:3.{minor}" for minor in range(7, 15)},
    "node": "node:22",
    **{f"node{major}": f"node:{major}" for major in (14, 16, 18, 20, 22, 24)},
    "go": "golang:1.24",
    "rust": "rust:1.90",
    "java": "maven:3-eclipse-temurin-21",
    "ruby": "ruby:3.4",
    "php": "composer:2",
}
"""The images for languages and their versions. Each has git. The user's `images` override them."""

_MANIFESTS = {
    **dict.fromkeys(("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"), "python"),
    "go.mod": "go",
    "Cargo.toml": "rust",
    "package.json": "node",
    **dict.fromkeys(("pom.xml", "build.gradle", "build.gradle.kts"), "java"),
    "Gemfile": "ruby",
    "composer.json": "php",
}


def default_image(files: Files, images: Mapping[str, str]) -> str:
    """Return the image of the language of the first manifest at the top; the one of Python if there is none."""
    language = next((language for name, language in _MANIFESTS.items() if name in files), "python")
    return images.get(language) or DEFAULT_IMAGES[language]
