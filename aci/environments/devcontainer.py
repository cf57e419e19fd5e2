"""A devcontainer's configuration: what of it makes an environment, and what is refused because it reaches for more.

Its image or Dockerfile, its variables, and the commands that it runs once inside are taken. What would run on this
machine, mount its files or raise the container's rights is refused by name; so is what is fetched from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aci.environments.jsonc import loads
from aci.environments.plan import Command, Dockerfile, Files
from aci.environments.room import ROOT

PLACES = (".devcontainer/devcontainer.json", ".devcontainer.json")
COMMANDS = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
REFUSED = {
    "initializeCommand": "it would run on this machine",
    "runArgs": "they would change how the container is run",
    "mounts": "they would mount files of this machine",
    "workspaceMount": "it would mount files of this machine",
    "privileged": "it would give the container this machine's rights",
    "capAdd": "it would give the container more rights",
    "securityOpt": "it would take protection off the container",
    "features": "they are programs from elsewhere, run as root",
    "dockerComposeFile": "its containers are not ours to limit",
    "runServices": "services are approved in your own settings",
    "secrets": "set-up has none",
    "appPort": "nothing from outside reaches the container",
    "hostRequirements": "limits are those of your settings",
    "gpu": "no device is given to the container",
}
"""What is not taken, and why."""

IGNORED = ("postStartCommand", "postAttachCommand", "remoteUser", "containerUser", "workspaceFolder")
"""What has no part in making an environment, though it may seem so."""

PUBLIC = frozenset(
    {
        "docker.io",
        "ghcr.io",
        "quay.io",
        "gcr.io",
        "mcr.microsoft.com",
        "public.ecr.aws",
        "registry.gitlab.com",
        "docker.elastic.co",
    }
)
"""Registries that anybody's images may come from: whoever names another chooses what this machine connects to."""

_IMAGE = re.compile(r"[a-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_PLACE = re.compile(r"\$\{(?:containerWorkspaceFolder|localWorkspaceFolder)\}")
_OTHERS = re.compile(r"\$\{(?:localEnv|containerEnv|localWorkspaceFolderBasename|devcontainerId|secret)\b[^}]*\}")
_LONGEST, _LONGEST_NAME = 10_000, 500
_MOST = 50


@dataclass(frozen=True, slots=True)
class Devcontainer:
    """What is taken from the file at `path`: an image or a Dockerfile to start from, or neither."""

    path: str
    image: str = ""
    dockerfile: Dockerfile | None = None
    commands: tuple[Command, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def find(files: Files) -> Devcontainer | None:
    """The repository's devcontainer, None if it has none; one that cannot be read is one that says why."""
    others = sorted(path for path in files if re.fullmatch(r"\.devcontainer/[^/]+/devcontainer\.json", path))
    path = next((path for path in (*PLACES, *others) if path in files), "")
    return read(path, files) if path else None


def read(path: str, files: Files) -> Devcontainer:
    """What the file at `path` says, as far as it is taken."""
    try:
        said = loads(files[path].decode("utf-8", "replace"))
    except ValueError as error:
        return Devcontainer(path, refused=(f"{path} is no JSON: {error}.",))
    if not isinstance(said, dict):
        return Devcontainer(path, refused=(f"{path} is no JSON object.",))
    refused = [f"{name} in {path}: {why}." for name, why in REFUSED.items() if said.get(name)]
    refused += [f"{name} in {path} has no part in it." for name in IGNORED if said.get(name)]
    image = _image(said, path, refused)
    dockerfile = _dockerfile(said, path, files, refused)
    return Devcontainer(
        path,
        "" if dockerfile else image,
        dockerfile,
        tuple(_commands(said, path, refused)),
        dict(_variables(said, path, refused)),
        tuple(refused),
    )


def image_of_strangers(name: str) -> str:
    """Why an image that a repository names is not taken; empty if it is. A name without a registry is Docker Hub's.

    What Docker takes for a registry has a dot, a colon or a capital letter, or is `localhost`.
    """
    first = name.partition("/")[0] if "/" in name else ""
    registry = first == "localhost" or bool(re.search(r"[.:]", first)) or first != first.lower()
    if registry and first not in PUBLIC and re.fullmatch(r"[\w.-]+(?::\d+)?", first):
        return f"its registry {first[:80]} is no public one; name it with --image"
    return "" if len(name) <= _LONGEST_NAME and _IMAGE.fullmatch(name) else "it cannot name an image"


def _image(said: Mapping[str, Any], path: str, refused: list[str]) -> str:
    image = said.get("image")
    if image is None:
        return ""
    why = image_of_strangers(image) if isinstance(image, str) else "it is no text"
    if why:
        refused.append(f"image {str(image)[:80]!r} in {path}: {why}.")
        return ""
    return str(image)


def _dockerfile(said: Mapping[str, Any], path: str, files: Files, refused: list[str]) -> Dockerfile | None:
    table = said.get("build")
    build = table if isinstance(table, dict) else {}
    name = build.get("dockerfile") or build.get("dockerFile") or said.get("dockerFile")
    if not isinstance(name, str):
        return None
    refused.extend(
        f"build.{key} in {path}: it would change how the image is built."
        for key in ("options", "cacheFrom")
        if build.get(key)
    )
    folder = posixpath.dirname(path)
    context = build.get("context") or said.get("context") or "."
    place, around = inside(folder, name), inside(folder, context if isinstance(context, str) else ".")
    if place is None or around is None:
        refused.append(f"The Dockerfile {name[:80]!r} of {path}, or its context, lies outside the repository.")
        return None
    if place not in files:
        refused.append(f"The Dockerfile {place} of {path} is not there.")
        return None
    args, target = build.get("args"), build.get("target")
    literal = {key: value for key, value in args.items() if isinstance(value, str)} if isinstance(args, dict) else {}
    return Dockerfile(place, around, target if isinstance(target, str) else "", literal)


def inside(folder: str, name: str) -> str | None:
    """A path of the tree, relative to `folder`; None where it leaves the tree."""
    if name.startswith("/") or "\0" in name:
        return None
    path = posixpath.normpath(posixpath.join(folder, name))
    return None if path == ".." or path.startswith("../") else "" if path == "." else path


def _commands(said: Mapping[str, Any], path: str, refused: list[str]) -> Iterator[Command]:
    for name in COMMANDS:
        for text in _texts(said.get(name)):
            filled = _PLACE.sub(ROOT, text)
            if _OTHERS.search(filled) or len(filled) > _LONGEST or "\0" in filled:
                refused.append(f"A command of {name} in {path}: it asks for what is only known on this machine.")
            else:
                yield Command(filled, f"{name} of {path}", optional=True)


def _texts(value: Any) -> list[str]:
    """A command in its three forms: a line for the shell, a list of words, a table of either."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return [shlex.join(value)]
    if isinstance(value, dict):
        return [text for one in list(value.values())[:_MOST] if not isinstance(one, dict) for text in _texts(one)]
    return []


def _variables(said: Mapping[str, Any], path: str, refused: list[str]) -> Iterator[tuple[str, str]]:
    for table in (said.get("containerEnv"), said.get("remoteEnv")):
        for name, value in (table if isinstance(table, dict) else {}).items():
            text = _PLACE.sub(ROOT, value) if isinstance(value, str) else None
            if value is None:
                continue
            if text is None or "${" in text or not _VARIABLE.fullmatch(name) or name == "PATH" or "\0" in text:
                refused.append(f"The variable {name[:80]!r} in {path}: only plain values are taken, and no PATH.")
            else:
                yield name, text
