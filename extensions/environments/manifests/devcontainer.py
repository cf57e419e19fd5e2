"""Devcontainer configurations: the settings that are used for an environment, and those that are refused.

The image or Dockerfile, the variables and the commands that run once inside the container are used. Settings that would
run commands on this machine, mount its files, extend the container's rights or fetch programs are refused, each with a
reason.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aci.environments.environment_plan import Command, Files
from aci.environments.registries import image_refusal
from extensions.environments.manifests.json_comments import parse_json_comments
from extensions.environments.setup_container import ROOT

DEVCONTAINER_PATHS = (".devcontainer/devcontainer.json", ".devcontainer.json")
COMMANDS = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
REFUSED = {
    "initializeCommand": "it would run on this machine",
    "runArgs": "they would change how the container is run",
    "mounts": "they would mount files of this machine",
    "workspaceMount": "it would mount files of this machine",
    "privileged": "it would give the container this machine's rights",
    "capAdd": "it would give the container more rights",
    "securityOpt": "it would remove protection from the container",
    "features": "they are programs from elsewhere that run as root",
    "dockerComposeFile": "its containers would run without limits",
    "runServices": "services are approved in your own settings",
    "secrets": "set-up has no secrets",
    "appPort": "the container cannot be reached from outside",
    "hostRequirements": "your settings define the limits",
    "gpu": "no device is given to the container",
}
"""The settings that are not used, and why."""

IGNORED = ("postStartCommand", "postAttachCommand", "remoteUser", "containerUser", "workspaceFolder")
"""Settings that have no effect on set-up, although their names may suggest one."""

_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_PLACE = re.compile(r"\$\{(?:containerWorkspaceFolder|localWorkspaceFolder)\}")
_HOST_VALUES = re.compile(r"\$\{(?:localEnv|containerEnv|localWorkspaceFolderBasename|devcontainerId|secret)\b[^}]*\}")
_LONGEST = 10_000
_MOST = 50


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile and its options for `docker build`. Paths are relative to the tree."""

    path: str
    context: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Devcontainer:
    """The settings that are used from the file at `path`: an image or a Dockerfile to start from, or neither."""

    path: str
    image: str = ""
    dockerfile: Dockerfile | None = None
    commands: tuple[Command, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def find_devcontainer(files: Files) -> Devcontainer | None:
    """Return the repository's devcontainer, or None. If it cannot be read, `refused` says why."""
    others = sorted(path for path in files if re.fullmatch(r"\.devcontainer/[^/]+/devcontainer\.json", path))
    path = next((path for path in (*DEVCONTAINER_PATHS, *others) if path in files), "")
    return read_devcontainer(path, files) if path else None


def read_devcontainer(path: str, files: Files) -> Devcontainer:
    """Read the file at `path` and return the settings that are used."""
    try:
        config = parse_json_comments(files[path].decode("utf-8", "replace"))
    except ValueError as error:
        return Devcontainer(path, refused=(f"{path} is not valid JSON: {error}.",))
    if not isinstance(config, dict):
        return Devcontainer(path, refused=(f"{path} is not a JSON object.",))
    refused = [f"{name} in {path}: {why}." for name, why in REFUSED.items() if config.get(name)]
    refused += [f"{name} in {path} is not part of set-up." for name in IGNORED if config.get(name)]
    image = _image(config, path, refused)
    dockerfile = _dockerfile(config, path, files, refused)
    return Devcontainer(
        path,
        "" if dockerfile else image,
        dockerfile,
        tuple(_commands(config, path, refused)),
        dict(_variables(config, path, refused)),
        tuple(refused),
    )


def _image(config: Mapping[str, Any], path: str, refused: list[str]) -> str:
    image = config.get("image")
    if image is None:
        return ""
    why = image_refusal(image) if isinstance(image, str) else "it is not a string"
    if why:
        refused.append(f"image {str(image)[:80]!r} in {path}: {why}.")
        return ""
    return str(image)


def _dockerfile(config: Mapping[str, Any], path: str, files: Files, refused: list[str]) -> Dockerfile | None:
    table = config.get("build")
    build = table if isinstance(table, dict) else {}
    name = build.get("dockerfile") or build.get("dockerFile") or config.get("dockerFile")
    if not isinstance(name, str):
        return None
    refused.extend(
        f"build.{key} in {path}: it would change how the image is built."
        for key in ("options", "cacheFrom")
        if build.get(key)
    )
    folder = posixpath.dirname(path)
    context = build.get("context") or config.get("context") or "."
    place, around = path_inside(folder, name), path_inside(folder, context if isinstance(context, str) else ".")
    if place is None or around is None:
        refused.append(f"The Dockerfile {name[:80]!r} of {path}, or its context, is outside the repository.")
        return None
    if place not in files:
        refused.append(f"The Dockerfile {place} of {path} does not exist.")
        return None
    args, target = build.get("args"), build.get("target")
    literal = {key: value for key, value in args.items() if isinstance(value, str)} if isinstance(args, dict) else {}
    return Dockerfile(place, around, target if isinstance(target, str) else "", literal)


def path_inside(folder: str, name: str) -> str | None:
    """Return the path in the tree of a name relative to `folder`; None if it is outside the tree."""
    if name.startswith("/") or "\0" in name:
        return None
    path = posixpath.normpath(posixpath.join(folder, name))
    return None if path == ".." or path.startswith("../") else "" if path == "." else path


def _commands(config: Mapping[str, Any], path: str, refused: list[str]) -> Iterator[Command]:
    for name in COMMANDS:
        for text in _texts(config.get(name)):
            filled = _PLACE.sub(ROOT, text)
            if _HOST_VALUES.search(filled) or len(filled) > _LONGEST or "\0" in filled:
                refused.append(f"A command of {name} in {path}: it is too long, or refers to values of this machine.")
            else:
                yield Command(filled, f"{name} of {path}", optional=True)


def _texts(value: Any) -> list[str]:
    """Return the shell commands of a value in any of its three forms: a string, a list of arguments, or a table of
    either."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return [shlex.join(value)]
    if isinstance(value, dict):
        return [text for one in list(value.values())[:_MOST] if not isinstance(one, dict) for text in _texts(one)]
    return []


def _variables(config: Mapping[str, Any], path: str, refused: list[str]) -> Iterator[tuple[str, str]]:
    for table in (config.get("containerEnv"), config.get("remoteEnv")):
        for name, value in (table if isinstance(table, dict) else {}).items():
            text = _PLACE.sub(ROOT, value) if isinstance(value, str) else None
            if value is None:
                continue
            if text is None or "${" in text or not _VARIABLE.fullmatch(name) or name == "PATH" or "\0" in text:
                refused.append(f"The variable {name[:80]!r} in {path}: only plain values are used, and no PATH.")
            else:
                yield name, text
