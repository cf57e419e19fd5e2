"""The destination of a merge request, found and checked before the run spends anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from extensions.github.pull_request.pull_requests import OpenedPullRequest
from extensions.github.task.policy_files import MOST_BYTES, policies_among, policy_paths
from extensions.github.task.trigger_event import TriggerSkipped
from extensions.gitlab.gitlab_address import GitLabAddress, address_of
from extensions.gitlab.gitlab_client import JOB_TOKEN, GitLabClient, is_object, without_quick_actions
from extensions.gitlab.gitlab_issue import DEVELOPER, read_issue
from extensions.gitlab.gitlab_remotes import Remote, known_remotes, read_project
from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.git_store.git_commands import decode

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

MAX_TITLE_CHARACTERS = 255
"""Maximum number of characters of a title that GitLab accepts."""


@dataclass(frozen=True, slots=True)
class MergeRequestDestination:
    """Where the branch is pushed and the merge request opened."""

    home: GitLabAddress
    """The address of the issue, with the project's current path."""
    home_id: int
    source_id: int
    """The project to which the branch is pushed: that of the issue, or a fork."""
    target: str
    """The branch to merge into."""
    url: str
    token: str = ""
    """The token for the push; "" for the user's git credentials."""
    notes: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return self.home.number

    def open(self, branch: str, title: str, text: str) -> OpenedPullRequest:
        """Open a draft to merge the branch, or return the merge request that is open already. Raises what
        `GitLabClient.send` raises."""
        body = {
            "source_branch": branch,
            "target_branch": self.target,
            "target_project_id": self.home_id,
            "title": f"Draft: {title}"[:MAX_TITLE_CHARACTERS],
            "description": without_quick_actions(text),
        }
        with GitLabClient(self.home) as client:
            if there := self._find_open(client, branch):
                return there
            try:
                made = client.send("POST", f"/projects/{self.source_id}/merge_requests", "open a merge request", body)
            except UsageError:  # another process may have opened it meanwhile
                if there := self._find_open(client, branch):
                    return there
                raise
        return _opened(made)

    def _find_open(self, client: GitLabClient, branch: str) -> OpenedPullRequest | None:
        query = {"state": "opened", "source_branch": branch, "source_project_id": self.source_id}
        listed = client.get(f"/projects/{self.home_id}/merge_requests", "look for a merge request", **query)
        source = {"source_branch": branch, "source_project_id": self.source_id}
        items = (item for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()
        return next((_opened(item) for item in items if source.items() <= item.items()), None)


def find_destination(source: Repository, issue: str, commit: str) -> MergeRequestDestination:
    """Return the destination of a merge request for the issue at the URL `issue` that starts from `commit`.

    Raises ConfigError without a token or a project to push to. Raises UsageError if the issue is confidential, if no
    remote is the project or a fork of it, if the commit is not on the server, or if the project accepts no merge
    requests or no AI-written changes.
    """
    address = address_of(issue)
    if not address.token:
        in_job = JOB_TOKEN if os.environ.get("GITLAB_CI") else ""
        fix = f"{in_job}Set {address.token_name} to one with the scope `api` and the role Developer."
        raise ConfigError("Opening a merge request requires a token.", fix)
    with GitLabClient(address) as client:
        if read_issue(client, address).get("confidential"):
            raise UsageError("The issue is confidential, and a merge request may show what it says.", "Use --branch.")
        project = read_project(client, address.path)
        home = replace(address, repository=str(project["path_with_namespace"]))
        if project.get("archived") or project.get("can_create_merge_request_in") is False:
            raise UsageError(f"{home.repository} accepts no merge requests from you.", "Use --branch.")
        remote, there = _push_remote(client, source, home, project)
        target = _target(client, source, remote, project, commit)
    url = f"{home.server}/{there['path_with_namespace']}.git" if remote.https else remote.url
    notes = _policy_notes(source, home, commit, asked=_access_level(project) >= DEVELOPER)
    token = home.token if remote.https else ""
    return MergeRequestDestination(home, int(project["id"]), int(there["id"]), target, url, token, notes)


def _push_remote(
    client: GitLabClient, source: Repository, home: GitLabAddress, project: dict[str, Any]
) -> tuple[Remote, dict[str, Any]]:
    """Return the remote to push to and its project: the issue's own, else a fork that the user can push to."""
    known = list(known_remotes(client, source, project))
    for remote, there in known:
        if _access_level(there) >= DEVELOPER and not there.get("archived"):
            return remote, there
    if not known:
        raise UsageError(
            f"No remote of {source.root} is {home.repository} or a fork of it.", f"git remote add gitlab {home.url}.git"
        )
    raise ConfigError(
        f"You have no push access to {home.repository}, and no remote is a fork of it with push access.",
        f"Fork it at {home.url}/-/forks/new and add the fork as a remote, then try again.",
    )


def _target(client: GitLabClient, source: Repository, remote: Remote, project: Mapping[str, Any], commit: str) -> str:
    """Return the branch to merge into: the default branch or the current branch's upstream, if `commit` is on it."""
    head, default = source.checked_out_branch(), str(project.get("default_branch") or "main")
    followed = decode(source._git("config", f"branch.{head}.merge", ok=(0, 1))).strip() if head else ""
    names = [default, *([followed.removeprefix("refs/heads/")] if followed.startswith("refs/heads/") else [])]
    for name in dict.fromkeys(names):
        try:
            path, refs = f"/projects/{project['id']}/repository/merge_base", {"refs[]": [name, commit]}
            common = client.get(path, f"compare commits of {client.address.repository}", **refs)
        except UsageError:  # the branch or the commit is not on the server
            continue
        if is_object(common, id=str) and common["id"] == commit:
            return name
    raise UsageError(
        f"The commit {commit[:10]} is not on the branch {default} of {client.address.repository}.",
        f"Push it first, or git fetch {remote.called} and start with --base {remote.called}/{default}.",
    )


def _policy_notes(source: Repository, home: GitLabAddress, commit: str, *, asked: bool) -> tuple[str, ...]:
    """Return notes on the project's policy on AI-written changes; raise UsageError if it refuses the merge request.

    If the user has write access, the project counts as having requested the work.
    """
    paths = policy_paths(decode(source._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)).split("\0"))
    texts = ((path, (source.file(path, commit) or b"")[:MOST_BYTES].decode("utf-8", "replace")) for path in paths)
    try:
        policies = policies_among(texts, asked=asked)
    except TriggerSkipped as refused:
        raise UsageError(
            f"{home.repository} does not accept this merge request. {refused}", "Use --branch, and ask the project."
        ) from None
    return tuple(f"The project's policy on AI: {home.url}/-/blob/{commit}/{quote(path)}" for path in policies)


def _access_level(project: Mapping[str, Any]) -> int:
    """Return the user's access level in a project, from its JSON: directly or by a group."""
    given = project.get("permissions")
    parts = given.values() if isinstance(given, Mapping) else ()
    levels = [part.get("access_level") for part in parts if isinstance(part, Mapping)]
    return max((level for level in levels if isinstance(level, int)), default=0)


def _opened(data: Mapping[str, Any]) -> OpenedPullRequest:
    if not is_object(data, iid=int, web_url=str):
        raise TryLater("GitLab gave an invalid answer when asked to open a merge request.", "Try again.")
    return OpenedPullRequest(int(data["iid"]), str(data["web_url"]), data.get("draft") is not False)
