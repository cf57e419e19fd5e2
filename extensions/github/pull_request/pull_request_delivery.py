"""Delivery of a run's patch as a draft pull request, exactly once.

The journal records the intent and the result. The process may die in between, so a resumed run first checks whether the
branch exists at the recorded commit and whether a pull request from it exists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent.inputs.github_urls import address_of
from agent.lifecycle.exploit_withholding import public_patch, quoting_files
from extensions.github.github_input import serves as serves
from extensions.github.pull_request.pull_request_template import TEMPLATES
from extensions.github.pull_request.pull_requests import OpenedPullRequest, branches
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import encode
from trajectories.outcome_words import patch_word
from trajectories.records import Note

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from extensions.github.pull_request.publish_store import PublishStore

EFFECT = "request"
TRIES = 20
"""Maximum number of branch names that are tried for an issue."""


class Destination(Protocol):
    """Where the branch is pushed, and where the request is opened."""

    @property
    def number(self) -> int:
        """The number of the issue."""

    @property
    def url(self) -> str:
        """The URL to push to."""

    @property
    def token(self) -> str:
        """The token for the push; "" for the user's git credentials."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences to add to the request."""

    def open(self, branch: str, title: str, text: str) -> OpenedPullRequest:
        """Open a draft to merge the branch, or return the one that is open already."""


@dataclass(frozen=True, slots=True)
class RequestHost:
    """A host of requests to merge a branch, such as GitHub."""

    name: str
    noun: str
    """What such a request is called there."""
    find_destination: Callable[[Repository, str, str], Destination]
    """Returns the destination for a repository, the URL of an issue, and the commit to start from."""
    templates: Sequence[str] = TEMPLATES
    """The paths, in lower case, where the host looks for a template of a request's text, in search order."""


def _find_destination(source: Repository, issue: str, commit: str) -> Destination:
    from extensions.github.pull_request.destination import destination

    return destination(source, address_of(issue), commit)


GITHUB = RequestHost("GitHub", "pull request", _find_destination)


def check_destination(source: Repository, issue: str, base: str | None, host: RequestHost = GITHUB) -> str:
    """Check the destination of a pull request for the issue, and return the revision to start the run from.

    The run starts from a commit, because uncommitted changes cannot be published. Raises what `destination` raises, and
    UsageError for an unknown revision.
    """
    rev = base or "HEAD"
    host.find_destination(source, issue, source.commit(rev))
    return rev


def deliver_request(engine: Engine, result: Result, host: RequestHost = GITHUB) -> None:
    """Open the pull request of a run at its end, if its patch is accepted and no delivery is recorded yet."""
    if any(note.kind == "done" and note.data.get("effect") == EFFECT for note in engine.trajectory.notes):
        return
    if not result.exit.verdict.is_accepted(engine.settings.accept):
        _record_not_accepted(engine, result, host)
    elif why := open_request(engine, result, host):
        _record_unpublished(engine, f"No {host.noun} was opened: {why}")


def check(engine: Engine, host: RequestHost = GITHUB) -> None:
    """Raise UsageError, or what `destination` raises, if no pull request can be opened for this run."""
    if not engine.run.issue.url:
        raise UsageError(
            f"This run's issue is not on {host.name}.", f"Its patch is in {_patch(engine)}: `git apply` it."
        )
    _destination(engine, host)


def deliver_on_request(engine: Engine, result: Result, host: RequestHost = GITHUB) -> None:
    """Open the pull request that a user requests after the run's end, whether or not the patch is proven.

    Do nothing if a pull request is open or the patch is empty. Raises UsageError for a patch that may not be published,
    and what `open_request` raises.
    """
    if result.patch and not result.pull and (why := open_request(engine, result, host)):
        raise UsageError(f"No {host.noun} can be opened: {why}", f"The patch is in {_patch(engine)}.")


def open_request(engine: Engine, result: Result, host: RequestHost = GITHUB) -> str:
    """Open a draft pull request with the run's patch, or complete an earlier attempt to open it.

    Return the reasons if the patch may not be published, else "". Raises what `check`, `push` and `Destination.open`
    raise; the run stays resumable.
    """
    from agent.patch_checks.configured_changes import configured_changes
    from extensions.github.action_inputs import load_rules
    from extensions.github.patch_check import check_patch, format_path
    from extensions.github.pull_request.publish_store import open_publish_store
    from extensions.github.pull_request.pull_request_draft import build_draft
    from extensions.github.pull_request.run_outcome import outcome_of

    place = _destination(engine, host)
    if quoting := quoting_files(engine, result.patch.tree):
        return f"An added comment quotes the exploit: {', '.join(quoting)}."
    patch = public_patch(engine, result.patch)
    if read := configured_changes(engine.trees, engine.run.base.tree, patch.tree, engine.repository).settings:
        return " ".join(f"{format_path(path)}: {why}." for path, why in read.items())
    with open_publish_store(engine.repository, engine.trees.path / "objects") as box:
        base, diff = engine.run.base.commit, encode(patch.diff)
        tree = box.tree(base, diff)
        findings = check_patch(box, base, tree, len(diff), load_rules().max_patch, engine.secrets)
        if findings.refused:
            return " ".join(findings.refused)
        draft = build_draft(box, base, tree, outcome_of(engine, result), place.number)
        text = draft.text(findings.flagged, place.notes, host.templates)
        branch = _push(engine, box, place, draft.tree, draft.message)
    opened = place.open(branch, draft.title, text)
    engine.journal.append(Note("main", "done", _opened_message(opened, host), {"effect": EFFECT, "url": opened.url}))
    return ""


def _destination(engine: Engine, host: RequestHost) -> Destination:
    """Return the destination; raise UsageError if the run started from uncommitted changes.

    The proof covers these changes, and the pull request would not contain them.
    """
    if engine.run.base.changes:
        raise UsageError(
            "This run started with uncommitted changes.",
            f"Commit and push them, then `swe-agent fix --issue {engine.run.issue.url} --pr`.",
        )
    return host.find_destination(engine.repository, engine.run.issue.url, engine.run.base.commit)


def _record_not_accepted(engine: Engine, result: Result, host: RequestHost) -> None:
    """Record that a patch was not published because of its verdict, and how to publish it anyway."""
    word = patch_word(result.exit.verdict.kind)
    again = f"To open one anyway: swe-agent resume {engine.run.id} --pr."
    _record_unpublished(engine, f"No {host.noun} was opened, because the patch is {word}. {again}")


def _record_unpublished(engine: Engine, why: str) -> None:
    engine.journal.append(Note("main", "done", f"{why} The patch is in {_patch(engine)}.", {"effect": EFFECT}))


def _patch(engine: Engine) -> Path:
    return engine.journal.directory / "patch.diff"


def _push(engine: Engine, box: PublishStore, place: Destination, tree: str, message: str) -> str:
    """Push the commit to a free branch and return the branch's name."""
    from extensions.github.pull_request.push import BranchMoved, branch_tip, push

    begun = _last_intent(engine)
    at = int(begun.get("at", time.time()))
    commit = box.commit(tree, engine.run.base.commit, message, at)
    for branch in _names(place.number, str(begun.get("branch", ""))):
        there = branch_tip(box, branch, place.url, place.token)
        if there and there == (begun.get("commit") if branch == begun.get("branch") else ""):
            return branch
        if there:
            continue
        data = {"effect": EFFECT, "branch": branch, "commit": commit, "at": at}
        engine.journal.append(Note("main", "intent", EFFECT, data))
        try:
            push(box, commit, branch, place.url, place.token)
        except BranchMoved:
            if (
                branch_tip(box, branch, place.url, place.token) != commit
            ):  # if the branch has this commit, a git process left over from an earlier attempt pushed it
                continue
        return branch
    raise UsageError(f"Issue {place.number} already has {TRIES} branches.", "Delete some.")


def _last_intent(engine: Engine) -> dict[str, Any]:
    """Return the data of the last recorded intent, or {}."""
    notes = [note for note in engine.trajectory.notes if note.kind == "intent" and note.data.get("effect") == EFFECT]
    return dict(notes[-1].data) if notes else {}


def _names(number: int, begun: str) -> Iterator[str]:
    names = [name for name, _ in zip(branches(number), range(TRIES), strict=False)]
    return dropwhile(lambda name: begun in names and name != begun, names)


def _opened_message(opened: OpenedPullRequest, host: RequestHost) -> str:
    kind = f"A draft {host.noun}" if opened.draft else f"A {host.noun}"
    return " ".join(filter(None, [f"{kind} is open: {opened.url}", opened.note]))
