"""The repository that an issue belongs to: the user's checkout of it, or a clone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aci.repository.user_repository import Repository
from agent.inputs.github_urls import address_of
from extensions.github.api.github_remotes import has_remote, remotes
from trajectories.errors import NoRepository, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.inputs.github_urls import Address


def open_checkout(url: str, folder: Path, say: Callable[[str], object], needs: str = "") -> Repository:
    """Return the repository that contains `folder` if the issue at `url` belongs to it, else a clone.

    `say` is called with a message if the repository is cloned. `needs` is an option that requires the user's own
    checkout, "" for none. Raises UsageError if such an option is given without a checkout, and for a repository that
    cannot be cloned.
    """
    address = address_of(url)
    try:
        source = Repository.open(folder)
        if belongs_to(source, address):
            return source
        where = source.root
    except NoRepository:
        where = folder.resolve()
    if needs:
        raise UsageError(
            f"{needs} needs a checkout of {address.repository}, and {where} is not one.",
            "Give it with --repo DIR, or use --pr.",
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
    address = address_of(url)
    if belongs_to(source, address):
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
