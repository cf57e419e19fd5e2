"""Images in registries: the name of an instance's official image, and how to pull one."""

from __future__ import annotations

import re

from aci.docker.docker_daemon import Daemon, error_message
from extensions.lab.instances.jobs import Instance
from trajectories.errors import WorkspaceError

ID = re.compile(r"[\w.-]+__[\w.-]+-\w+")
"""Ids of instances of SWE-bench and similar benchmarks."""
MISSING = re.compile(r"not found|manifest unknown|does not exist|access denied|unauthorized", re.IGNORECASE)
BUSY = re.compile(r"toomanyrequests|too many requests|rate limit", re.IGNORECASE)
FULL = re.compile(r"no space left|disk quota", re.IGNORECASE)


class ImageNotFound(WorkspaceError):
    """Raised if the registry has no such image."""


class Busy(WorkspaceError):
    """Raised if the registry limits requests and asks the client to wait."""


class DiskFull(WorkspaceError):
    """Raised if Docker's disk has no space for the image."""


def official_image(instance: Instance, publisher: str = "swebench") -> str:
    """Return the name of the image that SWE-bench publishes for an instance with this id; "" for other ids.

    `publisher` is the account on Docker Hub; SWE-bench-Live's is `starryzhang`.
    """
    if not ID.fullmatch(instance.id):
        return ""
    return f"{publisher}/sweb.eval.x86_64.{instance.id.replace('__', '_1776_')}:latest".lower()


def pull(daemon: Daemon, name: str) -> None:
    """Pull an image and wait for it. Raises ImageNotFound, Busy, DiskFull, or WorkspaceError for any other failure."""
    from docker.errors import DockerException
    from docker.utils import parse_repository_tag
    from requests.exceptions import RequestException

    repository, tag = parse_repository_tag(name)
    client = daemon.again()  # a separate connection, since a pull takes minutes
    try:
        for line in client.client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if wrong := line.get("error"):
                raise _failed(name, str(wrong))
    except (DockerException, RequestException) as error:
        raise _failed(name, error_message(error)) from error
    finally:
        client.rest()


def _failed(name: str, why: str) -> WorkspaceError:
    if FULL.search(why):
        fix = "Free disk space, or give a smaller --disk-limit."
        return DiskFull(f"There is no disk space for the image {name}: {why}.", fix)
    what = f"The image {name} does not exist locally and cannot be pulled: {why}."
    fix = "Build or load it, or give another one with --image."
    if BUSY.search(why):
        return Busy(what, "Wait, or `docker login` for a higher limit.")
    return ImageNotFound(what, fix) if MISSING.search(why) else WorkspaceError(what, fix)
