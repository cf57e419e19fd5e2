"""The Python version of a repository, by its manifests."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from extensions.environments.language_images import Version, WantedVersion, parse_version
from extensions.environments.manifests.poetry_requirements import convert_specifier
from extensions.environments.manifests.python_manifests import Manifests

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d{1,9})")
_ENDLESS = re.compile(r"\d{10}|.{1000}", re.DOTALL)
"""Matches specifiers that are ignored, since they would take long to parse."""

_LATEST_PATCH = 99
"""A patch number that stands for the latest patch release, so that an image of 3.9 satisfies `>=3.9.2`."""


def wanted_version(found: Manifests) -> WantedVersion:
    """Return the wanted version: within the bounds of `requires-python`, and preferably the one in `.python-version` or
    the newest classifier."""
    required, where = _required(found)
    try:
        required = "" if _ENDLESS.search(required) else required
        bounds = SpecifierSet(required)
    except InvalidSpecifier:
        bounds, required = SpecifierSet(), ""
    best, best_why = _best(found)
    why = " and ".join(filter(None, (f"{where} asks for Python {required}" if required else "", best_why)))
    return WantedVersion(
        lambda version: _is_met(bounds, version),
        best if not best or _is_met(bounds, best) else (),
        why or "the repository names no version of Python",
    )


def _is_met(bounds: SpecifierSet, version: Version) -> bool:
    return any(bounds.contains(".".join(map(str, (*version, patch)))) for patch in (0, _LATEST_PATCH))


def _required(found: Manifests) -> tuple[str, str]:
    if isinstance(required := found.project.get("requires-python"), str):
        return required, "pyproject.toml"
    poetry = found.tool("poetry").get("dependencies")
    if isinstance(poetry, dict) and isinstance(required := poetry.get("python"), str):
        return convert_specifier(required), "pyproject.toml"
    if found.setup_cfg.has_option("options", "python_requires"):
        return found.setup_cfg.get("options", "python_requires").strip(), "setup.cfg"
    required = found.setup_call.get("python_requires")
    return (required, "setup.py") if isinstance(required, str) else ("", "")


def _best(found: Manifests) -> tuple[Version, str]:
    if pinned := parse_version(found.text(".python-version")):
        return pinned, ".python-version names it"
    classifiers = found.project.get("classifiers") or found.tool("poetry").get("classifiers")
    text = "\n".join(map(str, classifiers)) if isinstance(classifiers, list) else ""
    listed = _CLASSIFIER.findall(text or found.text("setup.cfg") + found.text("setup.py"))
    newest = max((parse_version(version) for version in listed), default=())
    return newest, f"{'.'.join(map(str, newest))} is the newest that it lists" if newest else ""
