"""The images for languages, and the one that a repository gets without an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping

from aci.docker.base_image import DEFAULT_IMAGE
from aci.environments.environment_plan import Files

DEFAULTS = {
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
    return images.get(language) or DEFAULTS[language]
