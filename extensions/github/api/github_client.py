"""GitHub's API through PyGithub: a client for a server, and the translation of its errors."""

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
    from github.PullRequestReview import PullRequestReview
    from github.Repository import Repository

    from agent.inputs.github_urls import Address

Made = TypeVar("Made", "IssueComment", "PullRequest", "PullRequestComment", "PullRequestReview")
TIMEOUT = 30
"""Maximum number of seconds to wait for a response from the server."""
LOGGERS = ("github", "urllib3.connectionpool")
"""Loggers that write redirects and retries, with URLs, to stderr; their warnings are switched off."""


def connect(address: Address) -> Github:
    """Return a client for the server of `address` that uses the user's token for that server, if there is one. Raises
    ConfigError."""
    from github import Auth, Github

    from extensions.github.api.request_retries import RetryPolicy
    from extensions.github.api.response_bodies import limit_answers

    if not address.api.startswith(("https://", "http://")):
        raise ConfigError(f"GITHUB_API_URL={address.api} is not the URL of an API.", "Begin it with https://.")
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    limit_answers()
    return Github(
        base_url=address.api,
        auth=Auth.Token(address.token) if address.token else None,
        timeout=TIMEOUT,
        per_page=100,
        user_agent="swe-agent",
        retry=RetryPolicy.usual(),
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def repository(address: Address) -> Repository:
    """Return the repository object without sending a request; later requests must be made within `translate_errors`."""
    return connect(address).withLazy(True).get_repo(address.repository)


def require_created(thing: Made) -> Made:
    """Return the created object if GitHub's response contains it. Raises TryLater otherwise.

    PyGithub treats any response without an error status as success, even a proxy's page.
    """
    if not isinstance(thing.html_url, str):
        raise _invalid_answer("write")
    return thing


@contextmanager
def translate_errors(what: str, needs: str = "", token: str = "GITHUB_TOKEN") -> Iterator[None]:
    """Translate errors of the requests in this context, with PyGithub's error as the cause.

    `what` completes "GitHub does not let you …". `needs` is the required permission (`pull-requests: write`), which the
    error names if it is missing. `token` is the variable that holds the user's token.

    Raises UsageError for missing objects and invalid requests, ConfigError for a missing permission or a wrong token,
    TryLater for rate limits, GitHub's own problems and timeouts.
    """
    import requests
    from github import BadAttributeException, GithubException

    from extensions.github.api.api_errors import connection_error, redirect_error, translate_refusal

    try:
        yield
    except GithubException as error:
        raise translate_refusal(error, what, needs, token) from error
    except requests.JSONDecodeError as error:  # must come first: it is also a RequestException
        raise _invalid_answer(what) from error
    except requests.RequestException as error:
        raise connection_error(error, what) from error
    except (BadAttributeException, ValueError, TypeError, AttributeError, AssertionError) as error:
        if not _is_from_pygithub(error):
            raise
        raise _invalid_answer(what) from error
    except RuntimeError as error:
        if not _is_from_pygithub(error):
            raise
        raise redirect_error(error, what) from error


def _invalid_answer(what: str) -> TryLater:
    return TryLater(f"GitHub gave an invalid answer when asked to {what}.", "Try again, or check GITHUB_API_URL.")


def _is_from_pygithub(error: BaseException) -> bool:
    """Whether an error was raised in PyGithub's code, which has no error classes of its own for invalid responses."""
    from pathlib import Path

    import github

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
        if Path(trace.tb_frame.f_code.co_filename).is_relative_to(Path(github.__file__).parent):
            return True
    return False
