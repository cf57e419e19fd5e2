"""GitHub's API through PyGithub: a client for a server, and what it refuses in our words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from trajectories.errors import ConfigError, TryLater

if TYPE_CHECKING:
    from github import Github
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest
    from github.PullRequestComment import PullRequestComment
    from github.Repository import Repository

    from agent.github.address import Address

Made = TypeVar("Made", "IssueComment", "PullRequest", "PullRequestComment")
TIMEOUT = 30
"""Seconds that the server may be silent."""
LOGGERS = ("github", "urllib3.connectionpool")
"""They tell stderr of redirects and new tries, with addresses; we tell ourselves what matters."""


def connect(address: Address) -> Github:
    """A client for the address's server, with the user's token for it, or anonymous. Raises ConfigError."""
    from github import Auth, Github

    from agent.github.bodies import bound_answers
    from agent.github.patience import Patience

    if not address.api.startswith(("https://", "http://")):
        raise ConfigError(f"GITHUB_API_URL={address.api} is no address of an API.", "Begin it with https://.")
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    bound_answers()
    return Github(
        base_url=address.api,
        auth=Auth.Token(address.token) if address.token else None,
        timeout=TIMEOUT,
        per_page=100,
        user_agent="swe-agent",
        retry=Patience.usual(),
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def repository(address: Address) -> Repository:
    """The repository itself, asked for nothing yet: ask within `asking`."""
    return connect(address).withLazy(True).get_repo(address.repository)


def made(thing: Made) -> Made:
    """What was written, if GitHub's answer has it: to PyGithub any answer that is no refusal is a success, a proxy's
    page, too. Raises TryLater."""
    if not isinstance(thing.html_url, str):
        raise _nonsense("write")
    return thing


@contextmanager
def asking(what: str, needs: str = "", token: str = "GITHUB_TOKEN") -> Iterator[None]:
    """Around requests: what GitHub refuses is raised as ours, with PyGithub's as its cause. `what` completes "GitHub
    does not let you …"; `needs` is the permission it takes (`pull-requests: write`), named where it is missing,
    `token` where the user has the token from.

    Raises UsageError for what is not there or makes no sense, ConfigError for a missing right or a wrong token,
    TryLater for limits, trouble on GitHub's side and silence.
    """
    import requests
    from github import BadAttributeException, GithubException

    from agent.github.refusals import astray, refused, unreached

    try:
        yield
    except GithubException as error:
        raise refused(error, what, needs, token) from error
    except requests.JSONDecodeError as error:  # is a RequestException, too
        raise _nonsense(what) from error
    except requests.RequestException as error:
        raise unreached(error, what) from error
    except (BadAttributeException, ValueError, TypeError, AttributeError, AssertionError) as error:
        if not _of_the_library(error):
            raise
        raise _nonsense(what) from error
    except RuntimeError as error:
        if not _of_the_library(error):
            raise
        raise astray(error, what) from error


def _nonsense(what: str) -> TryLater:
    return TryLater(f"GitHub's answer makes no sense: it was asked to {what}.", "Try again, or check GITHUB_API_URL.")


def _of_the_library(error: BaseException) -> bool:
    """Whether it was raised in PyGithub's own code, which has no errors of its own for what a server makes up."""
    from pathlib import Path

    import github

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
        if Path(trace.tb_frame.f_code.co_filename).is_relative_to(Path(github.__file__).parent):
            return True
    return False
