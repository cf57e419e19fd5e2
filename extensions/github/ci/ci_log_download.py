"""Download of the log of a CI job: GitHub's API redirects to a storage server, which does not get the token."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from extensions.github.api.github_client import TIMEOUT, translate_errors
from extensions.github.ci.ci_runs import NEEDS, CiJob
from extensions.github.ci.failed_step_log import FailedStepLog
from trajectories.errors import TryLater, UsageError

if TYPE_CHECKING:
    from requests import Response, Session

    from agent.inputs.github_urls import Address

MOST_BYTES = 256 << 20
SECONDS = 120.0
"""Maximum number of bytes of a log that are read, and of seconds that it takes. What was read until then is used."""
PIECE = 1 << 16
MOST_REQUESTS = 2
"""Maximum number of requests to the API: it redirects once if the repository was renamed."""
MOVED = (301, 307, 308)
"""Redirects of the API to another address of it; that to the storage is a 302."""
DEFAULT_PORTS = {"http": 80, "https": 443}
GONE = (404, 410)
ARCHIVE = b"PK\x03\x04"
"""The beginning of a zip file, which is not a log. No archive is ever unpacked."""


class LogUnavailable(UsageError):
    """The log of a job does not exist, or not any more."""


def read_failed_steps(address: Address, job: CiJob, secrets: Sequence[str] = ()) -> str:
    """Return the end of what the failed steps of a job wrote, as a model may see it; "" if they wrote nothing.

    Raises LogUnavailable if there is no log, ConfigError without the permission to read it, TryLater if GitHub does not
    answer.
    """
    import requests

    log, what = FailedStepLog(job.failed_steps), f"read the log of the job {job.id}"
    with translate_errors(what, NEEDS, address.token_name), requests.Session() as session:
        session.auth = lambda request: request  # otherwise requests would use passwords from ~/.netrc
        session.headers.update({"User-Agent": "swe-agent", "Accept-Encoding": "identity"})
        link = _storage_link(session, address, job, what)
        with session.get(link, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
            _check_stored(answer, job, what)
            for data in _pieces(answer, job):
                log.add(data)
    return log.text(secrets)


def _storage_link(session: Session, address: Address, job: CiJob, what: str) -> str:
    """Return the URL of the log. Raises GithubException for a refusal."""
    from github import GithubException

    link = f"{address.api}/repos/{address.repository}/actions/jobs/{job.id}/logs"
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    for _ in range(MOST_REQUESTS):
        with session.get(link, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
            if answer.status_code == 410:
                raise _expired(job)
            if not answer.is_redirect:
                raise GithubException(answer.status_code, _message(answer), dict(answer.headers))
            link = answer.headers["Location"]
            is_moved = answer.status_code in MOVED and _is_of_api(link, address)
        if not is_moved:
            break
    parts = urlsplit(link)
    if parts.scheme not in ("https", urlsplit(address.api).scheme) or not parts.hostname or "@" in parts.netloc:
        raise TryLater(f"GitHub redirects to an invalid address when asked to {what}.", "Try again.")
    return link


def _is_of_api(link: str, address: Address) -> bool:
    """Return whether a link is one to GitHub's API itself, which may get the token."""
    parts, api = urlsplit(link), urlsplit(address.api)
    try:
        ports = [one.port or DEFAULT_PORTS.get(one.scheme) for one in (parts, api)]
    except ValueError:
        return False
    is_same = (parts.scheme, parts.hostname, ports[0]) == (api.scheme, api.hostname, ports[1])
    return is_same and "@" not in parts.netloc


def _check_stored(answer: Response, job: CiJob, what: str) -> None:
    if answer.status_code in GONE:
        raise _expired(job)
    if answer.status_code != 200:
        raise TryLater(f"The storage of GitHub answered {answer.status_code} when asked to {what}.", "Try again.")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise _not_text(job)


def _pieces(answer: Response, job: CiJob) -> Iterator[bytes]:
    """Yield the body up to the limits. Raises LogUnavailable if it is an archive, and requests' ConnectionError."""
    import requests
    from urllib3.exceptions import HTTPError

    size, until = 0, time.monotonic() + SECONDS
    try:
        while data := answer.raw.read1(PIECE, decode_content=False):
            if size == 0 and data.startswith(ARCHIVE):
                raise _not_text(job)
            size += len(data)
            yield data
            if size >= MOST_BYTES or time.monotonic() > until:
                return
    except (HTTPError, OSError) as error:
        raise requests.ConnectionError(error) from error


def _message(answer: Response) -> Any:
    """Return the JSON of a refusal, of which an error shows the message; None for anything else."""
    from extensions.github.api.response_bodies import read_body

    try:
        return json.loads(read_body(answer, PIECE, time.monotonic() + TIMEOUT))
    except ValueError:
        return None


def _expired(job: CiJob) -> LogUnavailable:
    return LogUnavailable(
        f"The log of the job {job.id} has expired.", "Run the job again, or give the error with --text."
    )


def _not_text(job: CiJob) -> LogUnavailable:
    return LogUnavailable(f"The log of the job {job.id} is not text.", "Give the error with --text.")
