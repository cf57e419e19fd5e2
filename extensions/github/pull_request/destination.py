"""The destination of a pull request opened from a terminal, found and checked before the run spends anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from extensions.github.api.github_client import connect, translate_errors
from extensions.github.api.github_remotes import Remote, known_remotes, names
from extensions.github.pull_request.pull_requests import OpenedPullRequest, open_pull
from extensions.github.task.policy_files import check_policies
from extensions.github.task.trigger_event import TriggerSkipped
from trajectories.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from github.Repository import Repository as Hosted

    from aci.repository.user_repository import Repository
    from agent.inputs.github_urls import Address


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the branch is pushed and the pull request opened.

    `home` is the address of the issue, with the repository's current name; `hosted` is PyGithub's object for the
    repository. The branch is pushed to `url`, which belongs to `owner`, with `token` unless that is "". `target` is the
    branch to merge into, `notes` are sentences to add to the pull request.
    """

    home: Address
    hosted: Hosted
    target: str
    owner: str
    url: str
    token: str = ""
    notes: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return self.home.number

    def open(self, branch: str, title: str, text: str) -> OpenedPullRequest:
        """Open a draft to merge the branch, or return the one that is open already. Raises what `open_pull` raises."""
        return open_pull(self.hosted, f"{self.owner}:{branch}", self.target, title, text)


def destination(source: Repository, address: Address, commit: str) -> Destination:
    """Return the destination of a pull request for the issue at `address` that starts from `commit`.

    Raises ConfigError without a token or a repository to push to. Raises UsageError if no remote is the repository or a
    fork of it, if the commit is not on the server, or if the project accepts no AI-written changes.
    """
    if not address.token:
        fix = f"Set {address.token_name} to one with `contents: write` and `pull-requests: write`."
        raise ConfigError("Opening a pull request requires a token.", fix)
    with translate_errors(f"read {address.repository}", "metadata: read", address.token_name):
        hosted = connect(address).get_repo(address.repository)
        home = replace(address, repository=hosted.full_name)
    if hosted.archived:
        raise UsageError(f"{home.repository} is archived and accepts no pull requests.", "Use --branch.")
    remote, owner = _push_remote(source, address, hosted)
    target = _target(source, hosted, remote, commit)
    notes = _policy_notes(hosted, home, commit)
    return Destination(home, hosted, target, owner, remote.url, address.token if remote.https else "", notes)


def _push_remote(source: Repository, address: Address, hosted: Hosted) -> tuple[Remote, str]:
    """Return the remote to push to and its owner: the repository itself, else a fork that the user can push to."""
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
        raise UsageError(f"No remote of {source.root} is {hosted.full_name} or a fork of it.", fix)
    fork = f"gh repo fork {hosted.full_name} --remote"
    raise ConfigError(
        f"You have no push access to {hosted.full_name}, and no remote is a fork of it with push access.",
        f"Fork it ({fork}), then try again.",
    )


def _url(remote: Remote, there: Hosted, address: Address) -> str:
    """Return the URL with the repository's current name, because tokens are not sent to redirect targets."""
    return f"{address.server}/{there.full_name}.git" if remote.https else remote.url


def _target(source: Repository, hosted: Hosted, remote: Remote, commit: str) -> str:
    """Return the branch to merge into: the default branch or the current branch's upstream, if `commit` is on it."""
    names = [hosted.default_branch]
    head = source.checked_out_branch()
    followed = (
        source._git("config", f"branch.{head}.merge", ok=(0, 1)).decode("utf-8", "replace").strip() if head else ""
    )
    names += [followed.removeprefix("refs/heads/")] if followed.startswith("refs/heads/") else []
    for name in dict.fromkeys(names):
        try:
            with translate_errors(f"compare commits of {hosted.full_name}", "contents: read"):
                if hosted.compare(name, commit).ahead_by == 0:
                    return name
        except UsageError:  # the branch or the commit is not on the server
            continue
    raise UsageError(
        f"The commit {commit[:10]} is not on the branch {hosted.default_branch} of {hosted.full_name}.",
        f"Push it first, or git fetch {remote.called} and start with --base {remote.called}/{hosted.default_branch}.",
    )


def _policy_notes(hosted: Hosted, home: Address, commit: str) -> tuple[str, ...]:
    """Return notes on the project's policy on AI-written changes; raise UsageError if it refuses the pull request.

    If the user has write access, the project counts as having requested the work.
    """
    asked = bool(hosted.permissions and hosted.permissions.push)
    try:
        policies = check_policies(hosted, home, commit, asked=asked)
    except TriggerSkipped as refused:
        raise UsageError(
            f"{home.repository} does not accept this pull request. {refused}", "Use --branch, and ask the project."
        ) from None
    return tuple(f"The project's policy on AI: {url}" for url in policies)
