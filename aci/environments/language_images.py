"""Which image a language starts from: the user's own, or the official ones, by the version that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aci.base_image import IMAGE

Version = tuple[int, ...]

DEFAULTS = {
    "python": IMAGE,
    **{f"python3.{minor}": f"python:3.{minor}" for minor in range(7, 15)},
    "node": "node:22",
    **{f"node{major}": f"node:{major}" for major in (14, 16, 18, 20, 22, 24)},
    "go": "golang:1.24",
    "rust": "rust:1.90",
    "java": "maven:3-eclipse-temurin-21",
    "ruby": "ruby:3.4",
    "php": "composer:2",
}
"""An image for a language, and for a version of it; each has git and is overridden by the user's `images`."""

_KEY = re.compile(r"(?P<language>[a-z+]+)(?P<version>\d{1,9}(?:\.\d{1,9})*)?$")
_NUMBER = r"\d{1,9}(?:\.\d{1,9})*"
_TAG = re.compile(rf":({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The versions that a repository is for: those that `fits`, and among them the `best`, where it says one."""

    fits: Callable[[Version], bool] = lambda version: True
    best: Version = ()
    why: str = "the repository names no version"


def version_of(text: str) -> Version:
    """`3.9` as (3, 9); what is no number is nothing."""
    found = re.search(_NUMBER, text)
    return tuple(int(part) for part in found.group().split(".")[:2]) if found else ()


def chosen(language: str, wanted: Wanted, images: Mapping[str, str]) -> tuple[str, str]:
    """The image, and why it is this one."""
    known = _known(language, images)
    plain = known.pop("", "")
    tag = _TAG.search(plain)
    numbered = {version_of(version): image for version, image in known.items()}
    if plain:
        numbered.setdefault(version_of(tag[1]) if tag else (), plain)
    fitting = sorted(version for version in numbered if version and wanted.fits(version))
    upto = [version for version in fitting if not wanted.best or version <= wanted.best]
    if plain and (not tag or (not wanted.best and wanted.fits(version_of(tag[1])))):
        exact = numbered.get(wanted.best, "") if wanted.best else ""
        return (exact or plain), _said(language, exact or plain, wanted, images)
    if fitting:
        image = numbered[upto[-1] if upto else fitting[0]]
        return image, _said(language, image, wanted, images)
    image = plain or next(iter(numbered.values()))
    return image, f"The image {image} is what there is for {language}, though {wanted.why}."


def others(language: str, wanted: Wanted, images: Mapping[str, str], tried: str) -> list[str]:
    """The images for other versions that fit, the nearest to what was tried last, newest first."""
    known = _known(language, images)
    fitting = sorted((version_of(version), image) for version, image in known.items() if version)
    return [image for version, image in reversed(fitting) if wanted.fits(version) and image != tried]


def _known(language: str, images: Mapping[str, str]) -> dict[str, str]:
    """Version (empty for the plain entry) -> image; the user's own entries for a language take the place of ours."""
    for table in (images, DEFAULTS):
        matches = [(match, image) for key, image in table.items() if (match := _KEY.match(key.lower()))]
        if found := {match["version"] or "": image for match, image in matches if match["language"] == language}:
            return found
    return {}


def _said(language: str, image: str, wanted: Wanted, images: Mapping[str, str]) -> str:
    own = any(key.lower().startswith(language) for key in images)
    return f"The image {image} is {'your' if own else 'the official'} one for {language}: {wanted.why}."
