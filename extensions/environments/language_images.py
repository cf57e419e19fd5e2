"""The choice of an image for a language and version: the user's own or an official one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aci.environments.preparation import DEFAULT_IMAGES

Version = tuple[int, ...]

_KEY = re.compile(r"(?P<language>[a-z+]+)(?P<version>\d{1,9}(?:\.\d{1,9})*)?$")
_NUMBER = r"\d{1,9}(?:\.\d{1,9})*"
_TAG = re.compile(rf":({_NUMBER})")


@dataclass(frozen=True, slots=True)
class WantedVersion:
    """The versions that a repository supports: `fits` tests a version, and `best` is the preferred one, if the
    repository names one."""

    fits: Callable[[Version], bool] = lambda version: True
    best: Version = ()
    why: str = "the repository names no version"


def parse_version(text: str) -> Version:
    """Parse the first version number in a text: `3.9` gives (3, 9); empty if there is none."""
    found = re.search(_NUMBER, text)
    return tuple(int(part) for part in found.group().split(".")[:2]) if found else ()


def choose_image(language: str, wanted: WantedVersion, images: Mapping[str, str]) -> tuple[str, str]:
    """Return the image and the reason for it."""
    known = _known(language, images)
    plain = known.pop("", "")
    tag = _TAG.search(plain)
    numbered = {parse_version(version): image for version, image in known.items()}
    if plain:
        numbered.setdefault(parse_version(tag[1]) if tag else (), plain)
    fitting = sorted(version for version in numbered if version and wanted.fits(version))
    upto = [version for version in fitting if not wanted.best or version <= wanted.best]
    if plain and (not tag or (not wanted.best and wanted.fits(parse_version(tag[1])))):
        exact = numbered.get(wanted.best, "") if wanted.best else ""
        return (exact or plain), _reason(language, exact or plain, wanted, images)
    if fitting:
        image = numbered[upto[-1] if upto else fitting[0]]
        return image, _reason(language, image, wanted, images)
    image = plain or next(iter(numbered.values()))
    return image, f"The image {image} is the only one for {language}, though {wanted.why}."


def alternative_images(language: str, wanted: WantedVersion, images: Mapping[str, str], tried: str) -> list[str]:
    """Return the images for other supported versions, newest first."""
    known = _known(language, images)
    fitting = sorted((parse_version(version), image) for version, image in known.items() if version)
    return [image for version, image in reversed(fitting) if wanted.fits(version) and image != tried]


def _known(language: str, images: Mapping[str, str]) -> dict[str, str]:
    """Return a language's images by version; the version is empty for an entry without one. The user's entries replace
    all defaults."""
    for table in (images, DEFAULT_IMAGES):
        matches = [(match, image) for key, image in table.items() if (match := _KEY.match(key.lower()))]
        if found := {match["version"] or "": image for match, image in matches if match["language"] == language}:
            return found
    return {}


def _reason(language: str, image: str, wanted: WantedVersion, images: Mapping[str, str]) -> str:
    own = any(key.lower().startswith(language) for key in images)
    return f"The image {image} is {'your own' if own else 'the official one'} for {language}: {wanted.why}."
