"""The repository that an issue belongs to: the user's checkout of it, or else a clone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aci.repository import Repository
from agent.github.address import address_of
from agent.github.remotes import has_remote, remotes
from trajectories.errors import NoRepository, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.github.address import Address


def open_checkout(url: str, folder: Path, say: Callable[[str], object], needs: str = "") -> Repository:
    """The repository that holds `folder` if the issue at `url` belongs to it, else a clone; `say` gets its path.

    `needs` is the option that takes the user's own checkout, "" for none. Raises UsageError where it is given and there
    is none, and for a repository that cannot be cloned.
    """
    address = address_of(url)
    try:
        source = Repository.open(folder)
        if is_of(source, address):
            return source
        where = source.root
    except NoRepository:
        where = folder.resolve()
    if needs:
        raise UsageError(
            f"{needs} takes a checkout of {address.repository}, and {where} is none.",
            "Give it with --repo DIR, or use --pr.",
        )
    from aci.cloning import clone
    from agent.settings import load_settings

    place = clone(f"{address.url}.git", load_settings().state / "clones", address.token)
    say(f"{where} is not a checkout of {address.repository}: using a clone of it, {place}.")
    return Repository.open(place)


def check_belongs(source: Repository, url: str, accept: Callable[[str], bool], fix: str) -> None:
    """Raises UsageError, with `fix` as the advice, where the issue at `url` does not belong to the repository and
    `accept`, which gets the reason, does not return True."""
    address = address_of(url)
    if is_of(source, address):
        return
    why = f"The issue is one of {address.repository}, and no remote of {source.root} is that repository."
    if not accept(why):
        raise UsageError(why, fix)


def is_of(source: Repository, address: Address) -> bool:
    """Whether the repository at `address` is a remote of `source` under its present or an earlier name, or what such a
    remote is a fork of. GitHub is asked only if the names do not decide it.

    Raises as `known_remotes` where GitHub does not answer.
    """
    if has_remote(source, address):
        return True
    if not any(remotes(source, address)):
        return False
    from agent.github.client import asking, connect
    from agent.github.destination import known_remotes

    with asking(f"read {address.repository}", "metadata: read", address.token_name):
        hosted = connect(address).get_repo(address.repository)
    return any(known_remotes(source, address, hosted))
