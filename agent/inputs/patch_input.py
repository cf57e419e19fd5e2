"""A patch for `swe-agent prove`: a diff, a branch, the staged changes, a pull request, or an evidence bundle."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.proposed_patch import OTHER_BASE, branch_start, fork_point, tree_of_diff, tree_of_index
from agent.console.rich_terminal import plain_waiting
from agent.inputs.github_urls import address_of
from agent.inputs.issue_hosts import ISSUE_NUMBER, issue_host
from agent.inputs.issue_input import STDIN, issue_from, patch_from, repository_for
from agent.run_state.proposed_tree import NOT_ISOLATED, Proposal
from agent.run_state.terminal_question import confirm
from trajectories.errors import UsageError
from trajectories.plugins import extension_module
from trajectories.records import Issue

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from trajectories.git_store.trees import Trees

IssueOptions = tuple[str, Path | None, str | None]
"""The values of `--issue`, `--issue-file` and `--text`."""
Say = Callable[[str], object]
FORMS = {
    "patch": "--patch F",
    "branch": "--branch REV",
    "staged": "--staged",
    "pr": "--pr URL",
    "check": "--check F",
}
"""The options that name a patch, as a user writes them."""


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """The options that name the patch, of which one is given."""

    patch: Path | None
    branch: str | None
    staged: bool
    pr: str
    check: Path | None

    def validate(self, names: Collection[str] = tuple(FORMS)) -> None:
        """Raise UsageError unless exactly one of the options `names` is given."""
        given = [f"--{name}" for name in names if getattr(self, name)]
        if len(given) != 1:
            what = f"{' and '.join(given)} were given" if given else "No patch was given"
            raise UsageError(f"{what}.", f"Give one of {', '.join(FORMS[name] for name in names)}.")


@dataclass(frozen=True, slots=True)
class FoundPatch:
    """A patch, the repository, the commit that the patch applies to, and the issue. `command` is a bundle's test
    command that the user has accepted, or "", and `head` the commit of a pull request, or ""."""

    source: Repository
    commit: str
    proposal: Proposal
    issue: Issue
    command: str = ""
    head: str = ""


def find_patch(
    given: PatchOptions,
    base: str | None,
    issue: IssueOptions,
    repo: str | None,
    mismatch_ok: bool,
    test: str | None,
    say: Say,
) -> FoundPatch:
    """Return the patch that the options name. Raises UsageError, and what reading an issue or a pull request raises."""
    given.validate()
    if given.patch == issue[1] == STDIN:
        raise UsageError("--patch and --issue-file both read standard input.", "Give one of them a file.")
    if given.check:
        bundles = extension_module("agent.inputs.bundles", "`prove --check`", "bundles")
        found: FoundPatch = bundles.find_bundled_patch(given.check, base, issue, repo, test, say)
        return found
    if given.pr:
        with plain_waiting("Reading the pull request"):
            return _from_pull_request(given.pr, base, issue, repo, say)
    asked = find_issue(issue, say, repo=repo)
    source = repository_for(asked, repo, lambda why: mismatch_ok or confirm(why), say, waiting=plain_waiting)
    return FoundPatch(source, *proposal_from(source, base, given.patch, given.branch, given.staged), asked)


def proposal_from(
    source: Repository, base: str | None, patch: Path | None, branch: str | None, staged: bool
) -> tuple[str, Proposal]:
    """Return the commit that a patch starts from, and the patch.

    Without `base` it is HEAD for a diff and for staged changes. For a branch it is the last common commit with HEAD; if
    HEAD has all commits of the branch, as when it is checked out, it is the commit at which it left the main branch.
    """
    if branch:
        commit, tip = source.commit(base) if base else fork_point(source, "HEAD", branch), source.commit(branch)
        if commit == tip and not base:
            commit = branch_start(source, branch) or tip
        if commit == tip:
            what = f"{base} is the commit of {branch}." if base else f"HEAD has all commits of {branch}."
            raise UsageError(what, "Name the commit that they start from with --base.")
        return commit, Proposal(f"branch {branch}", partial(_tree_of_commit, source, branch))
    commit = source.commit(base)
    if staged:
        return commit, Proposal("the staged changes", partial(tree_of_index, source), is_own=True)
    return commit, proposal_from_diff(source, commit, patch_from(patch), f"patch {patch}")


def proposal_from_diff(source: Repository, commit: str, diff: str, name: str, other_base: str = OTHER_BASE) -> Proposal:
    """Return the patch that a diff makes of the commit; `other_base` is what to do if it has another base."""
    return Proposal(name, lambda trees: tree_of_diff(source, trees, commit, diff, other_base))


def proposal_from_commits(source: Repository, base: str, head: str, name: str) -> tuple[str, Proposal]:
    """Return the last common commit of a pull request's target and head, and the changes of `head` since then."""
    return fork_point(source, base, head), Proposal(name, partial(_tree_of_commit, source, head))


def _from_pull_request(url: str, base: str | None, issue: IssueOptions, repo: str | None, say: Say) -> FoundPatch:
    from agent.config.settings import load_settings

    if repo:
        raise UsageError("--pr and --repo were both given.", "A pull request is proved in a clone of its repository.")
    github = issue_host(what="A pull request on GitHub")
    if number := ISSUE_NUMBER.fullmatch(issue[0].strip()):  # an issue of the pull request's repository
        issue = replace(address_of(url), number=int(number["number"])).issue_url, *issue[1:]
    changes = github.fetch_proposed_changes(url)
    asked = find_issue(issue, say, changes.issue)
    source = github.open_clone(changes, load_settings().state / "clones")
    name = f"pull request {url}"
    commit, proposal = proposal_from_commits(source, base or changes.target, changes.head, name)
    return FoundPatch(source, commit, proposal, asked, head=changes.head)


def find_issue(given: IssueOptions, say: Say, default: str = "", repo: str | None = None) -> Issue:
    """Return the issue that the options name, or the one at the URL `default`; an empty one if there is none. `repo` is
    the repository to which the number of an issue refers."""
    url, file, text = given
    if not url and file is None and text is None:
        url = default
    is_given = url or file is not None or text is not None
    return issue_from(url, file, text, say, plain_waiting, repo=repo) if is_given else Issue("")


def _tree_of_commit(source: Repository, rev: str, trees: Trees) -> str:
    return source.base(trees, source.commit(rev)).tree


def check_isolation(settings: Settings, staged: bool) -> None:
    """Raise UsageError if a patch from elsewhere would run without isolation; staged changes are the user's own."""
    if settings.workspace == "local" and not staged:
        raise UsageError(NOT_ISOLATED, "Use --workspace docker.")
