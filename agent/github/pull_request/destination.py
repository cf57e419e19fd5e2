"""Where a pull request of a person at a terminal goes: found, and allowed, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.github.address import address_of
from agent.github.client import asking, connect
from agent.github.policies import check_policies
from agent.github.remotes import Remote, names, remotes
from agent.github.trigger import Skipped
from trajectories.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from github.Repository import Repository as Hosted

    from aci.repository import Repository
    from agent.github.address import Address


@dataclass(frozen=True, slots=True)
class Destination:
    """`home` is the issue's repository by its present name, and `number` the issue; `hosted` the same for PyGithub.
    The branch goes to `url`, whose owner is `owner`, with `token` where that is not "". `target` is the branch that the
    pull request asks to be merged into, `notes` what is to be said there, too."""

    home: Address
    hosted: Hosted
    target: str
    owner: str
    url: str
    token: str = ""
    notes: tuple[str, ...] = ()


def ready(source: Repository, issue: str, base: str | None) -> str:
    """What a run starts from that is to end in a pull request: a commit, since nobody publishes what is not committed.

    Raises as `destination`, and UsageError for a revision that is not known.
    """
    rev = base or "HEAD"
    destination(source, address_of(issue), source.commit(rev))
    return rev


def destination(source: Repository, address: Address, commit: str) -> Destination:
    """Where a pull request for the issue at `address` goes that starts from `commit`.

    Raises ConfigError without a token or the right to push anywhere, UsageError where no remote is the repository or
    the commit is not on the server, or the project takes nothing that an AI wrote.
    """
    if not address.token:
        fix = f"Set {address.token_name} to one with `contents: write` and `pull-requests: write`."
        raise ConfigError("Opening a pull request takes a token.", fix)
    with asking(f"read {address.repository}", "metadata: read", address.token_name):
        hosted = connect(address).get_repo(address.repository)
        home = replace(address, repository=hosted.full_name)
    if hosted.archived:
        raise UsageError(f"{home.repository} is archived: it takes no pull requests.", "Use --branch.")
    remote, owner = _place(source, address, hosted)
    target = _target(source, hosted, remote, commit)
    notes = _heeded(hosted, home, commit)
    return Destination(home, hosted, target, owner, remote.url, address.token if remote.https else "", notes)


def _place(source: Repository, address: Address, hosted: Hosted) -> tuple[Remote, str]:
    """The remote to push to, and who owns it: the repository itself, else a fork of the user's."""
    seen: list[str] = []
    known = list(known_remotes(source, address, hosted))
    for remote, there in known:
        if there.permissions is not None and there.permissions.push and not there.archived:
            return Remote(remote.called, there.full_name, _url(remote, there, address)), there.owner.login
        seen.append(remote.called)
    if not seen:
        taken = names(source)
        called = next(name for name in ("upstream", "github", f"github-{len(taken)}") if name not in taken)
        fix = f"git remote add {called} {address.server}/{hosted.full_name}.git"
        raise UsageError(f"No remote of {source.root} is {hosted.full_name}, or a fork of it.", fix)
    fork = f"gh repo fork {hosted.full_name} --remote"
    raise ConfigError(
        f"You may not push to {hosted.full_name}, and no remote is a fork of yours.",
        f"Fork it ({fork}), then try again.",
    )


def known_remotes(source: Repository, address: Address, hosted: Hosted) -> Iterator[tuple[Remote, Hosted]]:
    """The remotes that are the repository, and after them those that are forks of it."""
    forks: list[tuple[Remote, Hosted]] = []
    client = connect(address)
    for remote in remotes(source, address):
        if remote.repository.lower() in (hosted.full_name.lower(), address.repository.lower()):
            yield remote, hosted
            continue
        try:
            with asking(f"read {remote.repository}", "metadata: read"):
                there = client.get_repo(remote.repository)
                origin = there.source or there.parent if there.fork else None
        except (UsageError, ConfigError):
            continue
        if there.id == hosted.id:
            yield remote, there
        elif origin is not None and origin.id in (hosted.id, hosted.source.id if hosted.fork and hosted.source else 0):
            forks.append((remote, there))
    yield from forks


def _url(remote: Remote, there: Hosted, address: Address) -> str:
    """By its present name: a token follows no redirect."""
    return f"{address.server}/{there.full_name}.git" if remote.https else remote.url


def _target(source: Repository, hosted: Hosted, remote: Remote, commit: str) -> str:
    """The branch to merge into: the default one, or the one that the present branch follows; `commit` is on it."""
    names = [hosted.default_branch]
    head = source._git("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)).decode("utf-8", "replace").strip()
    followed = (
        source._git("config", f"branch.{head}.merge", ok=(0, 1)).decode("utf-8", "replace").strip() if head else ""
    )
    names += [followed.removeprefix("refs/heads/")] if followed.startswith("refs/heads/") else []
    for name in dict.fromkeys(names):
        try:
            with asking(f"compare commits of {hosted.full_name}", "contents: read"):
                if hosted.compare(name, commit).ahead_by == 0:
                    return name
        except UsageError:  # one of the two is not there
            continue
    raise UsageError(
        f"The commit {commit[:10]} is not on the branch {hosted.default_branch} of {hosted.full_name}.",
        f"Push it first; or git fetch {remote.called}, and begin with --base {remote.called}/{hosted.default_branch}.",
    )


def _heeded(hosted: Hosted, home: Address, commit: str) -> tuple[str, ...]:
    """What is to be said of the project's policy on what an AI wrote. Who may write to it asks for it as its own."""
    asked = bool(hosted.permissions and hosted.permissions.push)
    try:
        policies = check_policies(hosted, home, commit, asked=asked)
    except Skipped as refused:
        raise UsageError(
            f"{home.repository} takes no such pull request. {refused}", "Use --branch, and ask there."
        ) from None
    return tuple(f"The project's policy on AI: {url}" for url in policies)
