"""The issue of an instance with its pictures, which data sets such as SWE-bench Multimodal name by URL."""

from __future__ import annotations

from dataclasses import replace

from agent.inputs.github_urls import GITHUB, Address
from agent.inputs.issue_hosts import issue_host
from extensions.lab.instances.jobs import Instance
from trajectories.records import Issue


def with_pictures(instance: Instance) -> Issue:
    """Return the issue with the pictures of `Instance.pictures`, as `data:` URLs, after those that it has.

    They are fetched as those of an issue on GitHub are: without a token, only from GitHub's hosts and the repository's
    own files. The others are left out.
    """
    if not instance.pictures:
        return instance.issue
    links = [f'<img src="{url}">' for url in instance.pictures]
    fetched = issue_host().fetch_images(links, Address(GITHUB, instance.repo))
    return replace(instance.issue, images=tuple(dict.fromkeys([*instance.issue.images, *fetched])))
