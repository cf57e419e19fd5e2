"""The repository that an issue belongs to: the user's checkout of it, or a clone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from aci.repository.user_repository import Repository
from agent.inputs.github_urls import address_of
from extensions.github.api.github_remotes import has_remote, remotes
from trajectories.errors import NoRepository, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.inputs.github_urls import Address


class HostedRepository(Protocol):
    """A repository on a host of issues."""

    @property
    def repository(self) -> str:
        """Its owner or groups, and its name."""

    @property
    def url(self) -> str:
        """Its URL, for browsers and for git."""

    @property
    def token(self) -> str:
        """The user's token for its server, or ""."""


Hosted = TypeVar("Hosted", bound=HostedRepository)


def open_checkout(url: str, folder: Path, say: Callable[[str], object], needs: str = "") -> Repository:
    """Return the repository that contains `folder` if the issue at `url` belongs to it, else a clone.

    `say` is called with a message if the repository is cloned. `needs` is an option that requires the user's own
    checkout, "" for none. Raises UsageError if such an option is given without a checkout, and for a repository that
    cannot be cloned.
    """
    return checkout_or_clone(address_of(url), belongs_to, folder, say, needs)


def checkout_or_clone(
    address: Hosted,
    belongs: Callable[[Repository, Hosted], bool],
    folder: Path,
    say: Callable[[str], object],
    needs: str,
    request: str = "--pr",
) -> Repository:
    """As `open_checkout`, on any host: `belongs` says whether a repository is the one at `address` or a fork of it."""
    try:
        source = Repository.open(folder)
        if belongs(source, address):
            return source
        where = source.root
    except NoRepository:
        where = folder.resolve()
    if needs:
        raise UsageError(
            f"{needs} needs a checkout of {address.repository}, and {where} is not one.",
            f"Give it with --repo DIR, or use {request}.",
        )
    from aci.repository.clone import clone
    from agent.config.settings import load_settings

    place = clone(f"{address.url}.git", load_settings().state / "clones", address.token)
    say(f"{where} is not a checkout of {address.repository}: using a clone of it, {place}.")
    return Repository.open(place)


def check_belongs(source: Repository, url: str, accept: Callable[[str], bool], fix: str) -> None:
    """Raise UsageError with the advice `fix` if the issue at `url` does not belong to the repository.

    `accept` gets the reason and may return True to continue anyway.
    """
    check_remotes(source, address_of(url), belongs_to, accept, fix)


def check_remotes(
    source: Repository,
    address: Hosted,
    belongs: Callable[[Repository, Hosted], bool],
    accept: Callable[[str], bool],
    fix: str,
) -> None:
    """As `check_belongs`, on any host; `belongs` as in `checkout_or_clone`."""
    if belongs(source, address):
        return
    why = f"The issue belongs to {address.repository}, but no remote of {source.root} points to it."
    if not accept(why):
        raise UsageError(why, fix)


def belongs_to(source: Repository, address: Address) -> bool:
    """Whether a remote of `source` is the repository at `address`, under its current or an earlier name, or a fork of
    it.

    A request is sent to GitHub only if the names alone do not decide it. Raises what `known_remotes` raises if GitHub
    does not answer.
    """
    if has_remote(source, address):
        return True
    if not any(remotes(source, address)):
        return False
    from extensions.github.api.github_client import connect, translate_errors
    from extensions.github.api.github_remotes import known_remotes

    with translate_errors(f"read {address.repository}", "metadata: read", address.token_name):
        hosted = connect(address).get_repo(address.repository)
    return any(known_remotes(source, address, hosted))
