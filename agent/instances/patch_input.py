"""A patch for `swe-agent prove`: a diff, a branch, the staged changes, or a pull request."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.proposed_patch import fork_point, tree_of_diff, tree_of_index
from agent.instances.issue_input import patch_from
from agent.run_state.proposed_tree import Proposal
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.github.api.proposed_changes import ProposedChanges
    from trajectories.git_store.trees import Trees


def pull_request_from(
    url: str, patch: Path | None, branch: str | None, staged: bool, repo: str | None
) -> ProposedChanges | None:
    """Return the pull request at `url`, or None if another patch is given.

    Raises UsageError unless exactly one patch is given, and what `fetch_proposed_changes` raises.
    """
    options = (("--patch", patch), ("--branch", branch), ("--staged", staged), ("--pr", url))
    given = [name for name, value in options if value]
    if len(given) != 1:
        what = f"{' and '.join(given)} were given" if given else "No patch was given"
        raise UsageError(f"{what}.", "Give one of --patch F, --branch REV, --staged, --pr URL.")
    if not url:
        return None
    if repo:
        raise UsageError("--pr and --repo were both given.", "A pull request is proved in a clone of its repository.")
    from agent.github.api.proposed_changes import fetch_proposed_changes

    return fetch_proposed_changes(url)


def clone_of(changes: ProposedChanges) -> Repository:
    """Return a clone, next to the runs, that has the commits of a pull request."""
    from agent.config.settings import load_settings
    from agent.github.api.proposed_changes import open_clone

    return open_clone(changes, load_settings().state / "clones")


def proposal_from(
    source: Repository, base: str | None, patch: Path | None, branch: str | None, staged: bool
) -> tuple[str, Proposal]:
    """Return the commit that a patch starts from, and the patch.

    Without `base` it is HEAD for a diff and for staged changes, and the last common commit with HEAD for a branch.
    """
    if branch:
        commit = source.commit(base) if base else fork_point(source, "HEAD", branch)
        return commit, Proposal(f"branch {branch}", partial(_tree_of_commit, source, branch))
    commit = source.commit(base)
    if staged:
        return commit, Proposal("the staged changes", partial(tree_of_index, source))
    diff = patch_from(patch)
    return commit, Proposal(f"patch {patch}", lambda trees: tree_of_diff(source, trees, commit, diff))


def proposal_from_commits(source: Repository, base: str, head: str, name: str) -> tuple[str, Proposal]:
    """Return the last common commit of two commits, and the changes of `head` since then."""
    return fork_point(source, base, head), Proposal(name, partial(_tree_of_commit, source, head))


def _tree_of_commit(source: Repository, rev: str, trees: Trees) -> str:
    return source.base(trees, source.commit(rev)).tree


def check_isolation(settings: Settings, staged: bool) -> None:
    """Raise UsageError if a patch from elsewhere would run without isolation; staged changes are the user's own."""
    if settings.workspace == "local" and not staged:
        raise UsageError(
            "A patch from elsewhere does not run in the local workspace, which has no isolation.",
            "Use --workspace docker.",
        )
