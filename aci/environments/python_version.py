"""Which Python a repository is for, told from what it declares."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from aci.environments.images import Version, Wanted, version_of
from aci.environments.poetry import specifier
from aci.environments.python_manifests import Manifests

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d{1,9})")
_ENDLESS = re.compile(r"\d{10}|.{1000}", re.DOTALL)
"""What is no bound, whoever may have written it."""

_LATEST_PATCH = 99
"""Stands for the last patch release, so that `>=3.9.2` is met by an image of 3.9."""


def wanted_version(found: Manifests) -> Wanted:
    """`requires-python` bounds it; `.python-version`, else the newest version of the classifiers, is the best."""
    required, where = _required(found)
    try:
        required = "" if _ENDLESS.search(required) else required
        bounds = SpecifierSet(required)
    except InvalidSpecifier:
        bounds, required = SpecifierSet(), ""
    best, best_why = _best(found)
    why = " and ".join(filter(None, (f"{where} asks for Python {required}" if required else "", best_why)))
    return Wanted(
        lambda version: _met(bounds, version),
        best if not best or _met(bounds, best) else (),
        why or "the repository names no version of Python",
    )


def _met(bounds: SpecifierSet, version: Version) -> bool:
    return any(bounds.contains(".".join(map(str, (*version, patch)))) for patch in (0, _LATEST_PATCH))


def _required(found: Manifests) -> tuple[str, str]:
    if isinstance(said := found.project.get("requires-python"), str):
        return said, "pyproject.toml"
    poetry = found.tool("poetry").get("dependencies")
    if isinstance(poetry, dict) and isinstance(said := poetry.get("python"), str):
        return specifier(said), "pyproject.toml"
    if found.setup_cfg.has_option("options", "python_requires"):
        return found.setup_cfg.get("options", "python_requires").strip(), "setup.cfg"
    said = found.setup_call.get("python_requires")
    return (said, "setup.py") if isinstance(said, str) else ("", "")


def _best(found: Manifests) -> tuple[Version, str]:
    if pinned := version_of(found.text(".python-version")):
        return pinned, ".python-version names it"
    classifiers = found.project.get("classifiers") or found.tool("poetry").get("classifiers")
    text = "\n".join(map(str, classifiers)) if isinstance(classifiers, list) else ""
    listed = _CLASSIFIER.findall(text or found.text("setup.cfg") + found.text("setup.py"))
    newest = max((version_of(version) for version in listed), default=())
    return newest, f"{'.'.join(map(str, newest))} is the newest that it lists" if newest else ""
