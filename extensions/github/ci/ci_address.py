"""URLs of failed CI on GitHub: a run, a job of it, or a pull request."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.inputs.github_urls import REPOSITORY, Address, known_server, own_server
from trajectories.errors import UsageError

CI = re.compile(
    rf"(?P<server>https?://(?P<host>[a-z0-9.-]+(?::\d{{1,5}})?))/(?P<repo>{REPOSITORY})/(?:"
    r"actions/runs/(?P<run>[1-9]\d{0,19})(?:/attempts/\d{1,9})?(?:/jobs?/(?P<job>[1-9]\d{0,19}))?"
    r"|pull/(?P<number>[1-9]\d{0,9}))(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class CiAddress:
    """A run of GitHub Actions, a job of it, or the pull request `address.number`; numbers that are not given are 0."""

    address: Address
    run: int = 0
    job: int = 0


def ci_address_of(url: str) -> CiAddress:
    """Parse the URL of a run, a job, or a pull request or its checks. Raises UsageError as `address_of` does."""
    match = CI.fullmatch(url.strip())
    if match is None:
        raise UsageError(f"{url} is not the address of a CI run.", f"Give {own_server()}/OWNER/NAME/actions/runs/N.")
    run, job, number = (int(match[name] or 0) for name in ("run", "job", "number"))
    return CiAddress(Address(known_server(match, "a CI run"), match["repo"], number), run, job)
