"""What works if an image cannot be pulled."""

from __future__ import annotations

import re

from aci.docker.docker_daemon import OTHER_WORKSPACE, Daemon

MOST_NAMED = 3
_OURS = re.compile(r"swe-agent-(?:base|environment)/|swe-agent-test-|<none>")
"""Images that runs made, which start from another one."""


def alternatives(daemon: Daemon, image: str) -> str:
    """Return what works without a registry: images that are present, and other workspaces.

    This is advice about an error that is reported, so an error of the daemon here only leaves out the images.
    """
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    present = sorted(_present_tags(daemon), key=lambda tag: (name not in tag, tag))[:MOST_NAMED]
    others = f" (or {', '.join(present[1:])})" if present[1:] else ""
    images = f"--image {present[0]}{others}, which is present, if it has what the tests need; " if present else ""
    return f"Without a registry: {images}--workspace {OTHER_WORKSPACE}; or `docker load` of the image."


def _present_tags(daemon: Daemon) -> list[str]:
    """Return one tag of each image that the daemon has and that no run made; none if the daemon fails."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        images = daemon.client.api.images()  # one request, since an image may be removed meanwhile
    except (DockerException, RequestException):
        return []
    tags = []
    for each in images:
        named = [tag for tag in each["RepoTags"] or () if not _OURS.match(tag)]
        tags += sorted(named, key=lambda tag: not tag.endswith(":latest"))[:1]
    return tags
