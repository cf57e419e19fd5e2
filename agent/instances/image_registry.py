"""Images of registries: what an instance's official image is called, and how one is had."""

from __future__ import annotations

import re

from aci.daemon import Daemon, said
from agent.batch.place import Instance
from trajectories.errors import WorkspaceError

ID = re.compile(r"[\w.-]+__[\w.-]+-\w+")
"""An instance of SWE-bench and of what is made in its likeness."""
MISSING = re.compile(r"not found|manifest unknown|does not exist|access denied|unauthorized", re.IGNORECASE)
BUSY = re.compile(r"toomanyrequests|too many requests|rate limit", re.IGNORECASE)
FULL = re.compile(r"no space left|disk quota", re.IGNORECASE)


class Missing(WorkspaceError):
    """The registry has no such image."""


class Busy(WorkspaceError):
    """The registry answers, and asks to wait."""


class DiskFull(WorkspaceError):
    """Docker's disk has no room for it."""


def official(instance: Instance) -> str:
    """The image that SWE-bench publishes for an instance of that id, if it does; "" for other ids."""
    if not ID.fullmatch(instance.id):
        return ""
    return f"swebench/sweb.eval.x86_64.{instance.id.replace('__', '_1776_')}:latest".lower()


def pull(daemon: Daemon, name: str) -> None:
    """Have the daemon pull an image, to its end. Raises Missing, Busy, DiskFull, else WorkspaceError."""
    from docker.errors import DockerException
    from docker.utils import parse_repository_tag
    from requests.exceptions import RequestException

    repository, tag = parse_repository_tag(name)
    client = daemon.again()  # its own: a pull takes minutes
    try:
        for line in client.client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if wrong := line.get("error"):
                raise _failed(name, str(wrong))
    except (DockerException, RequestException) as error:
        raise _failed(name, said(error)) from error
    finally:
        client.rest()


def _failed(name: str, why: str) -> WorkspaceError:
    if FULL.search(why):
        return DiskFull(f"There is no room for the image {name}: {why}.", "Make room, or give a smaller --disk-limit.")
    what = f"The image {name} is not here and cannot be pulled: {why}."
    fix = "Build or load it, or name another with --image."
    if BUSY.search(why):
        return Busy(what, "Wait, or `docker login` for a higher limit.")
    return Missing(what, fix) if MISSING.search(why) else WorkspaceError(what, fix)
