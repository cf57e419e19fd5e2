"""GitHub's API through PyGithub: a client for a server, and what it refuses in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trajectories.errors import ConfigError, TryLater, UsageError

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

    from agent.github.address import Address

TIMEOUT = 30
"""Seconds that the server may be silent."""


def connect(address: Address) -> Github:
    """A client for the address's server, with the user's token for it, or anonymous."""
    from github import Auth, Github

    auth = Auth.Token(address.token) if address.token else None
    return Github(base_url=address.api, auth=auth, timeout=TIMEOUT, per_page=100, user_agent="swe-agent")


def repository(address: Address) -> Repository:
    """The repository itself, asked for nothing yet: ask within `asking`."""
    return connect(address).get_repo(address.repository, lazy=True)


@contextmanager
def asking(what: str, needs: str = "") -> Iterator[None]:
    """Around requests: what GitHub refuses is raised as ours. `what` completes "GitHub does not let you …"; `needs` is
    the permission it takes (`pull-requests: write`), named where it is missing.

    Raises UsageError for what is not there, ConfigError for a missing right or a wrong token, TryLater for limits and
    silence.
    """
    import requests
    from github import GithubException

    try:
        yield
    except GithubException as error:
        if error.status in (404, 410):
            raise UsageError(
                f"GitHub has nothing there to {what}.", "Check the address, or set GITHUB_TOKEN."
            ) from error
        if error.status in (401, 403):
            fix = f"It takes `{needs}`." if needs else "Set GITHUB_TOKEN anew, or unset it."
            raise ConfigError(f"GitHub does not let you {what}.", fix) from error
        raise TryLater(f"GitHub answered {error.status} when asked to {what}.", "Try again.") from error
    except requests.RequestException as error:
        raise TryLater(f"GitHub could not be reached to {what}: {error}.", "Try again.") from error
