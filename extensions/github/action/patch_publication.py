"""Publication of a patch: a pull request for a fix, a commit for a follow-up.

Each effect is idempotent. The commit is deterministic down to its id, so a repeated job continues where it stopped and
creates nothing twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from agent.engine.engine import known_secrets
from extensions.github.action.pull_request_limits import check_free
from extensions.github.api.github_client import translate_errors
from extensions.github.missing_permissions import OWN_TOKEN
from extensions.github.patch_check import PatchFindings, check_patch
from extensions.github.pull_request import comment_texts
from extensions.github.pull_request.publish_store import PublishStore
from extensions.github.pull_request.pull_request_draft import PullRequestDraft, build_draft
from extensions.github.pull_request.pull_requests import branches, open_pull, pull_from
from extensions.github.pull_request.push import BranchMoved, branch_tip, fetch_commit, push
from extensions.github.task.task_subject import issue_of_branch
from extensions.github.task.trigger_event import TriggerSkipped
from extensions.github.text_escaping import code, escape_markdown
from trajectories.errors import SweAgentError, UsageError
from trajectories.outcome_words import patch_word
from trajectories.verdict import COMPLETE, PROVEN

if TYPE_CHECKING:
    from github.Repository import Repository

    from agent.inputs.github_urls import Address
    from extensions.github.action_inputs import Rules
    from extensions.github.task.result_file import Outcome
    from extensions.github.task.task_request import TaskRequest

MOST_BRANCHES = 20
OWN_ADDRESS = "41898282+github-actions[bot]@users.noreply.github.com"
"""The e-mail address of the user that a workflow's own token acts as."""


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task ended: a status word for the workflow and the `text` of the comment.

    `pull` is the number of the resulting pull request and `commit` the commit that its branch got; in a dry run,
    `shown` is the text that would otherwise have been published.
    """

    word: str
    text: str
    pull: int = 0
    shown: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The patch to publish and its destination; `outbox` contains the commit `asked.base`, or can fetch it."""

    outbox: PublishStore
    place: Repository
    address: Address
    rules: Rules
    asked: TaskRequest
    outcome: Outcome
    diff: bytes

    @property
    def url(self) -> str:
        return f"{self.address.url}.git"


def publish_patch(delivery: Delivery) -> TaskOutcome:
    """Publish the patch, or return why it is not published. Raises the errors of GitHub and git."""
    asked, outcome, outbox = delivery.asked, delivery.outcome, delivery.outbox
    if not outbox.has(asked.base):
        fetch_commit(outbox, asked.base, delivery.url, delivery.address.token)
    try:
        tree = outbox.tree(asked.base, delivery.diff)
    except UsageError as error:
        return TaskOutcome("refused", comment_texts.refused_comment((escape_markdown(error.message),), outcome))
    findings = _check_patch(delivery, tree)
    if findings.refused:
        return TaskOutcome("refused", comment_texts.refused_comment(findings.refused, outcome))
    kind = outcome.result["verdict"]["kind"]
    # A follow-up has no examiner: a person with write access asks for the change of a draft, and reads it.
    accepted = COMPLETE if asked.kind == "follow-up" else {*PROVEN, delivery.rules.accept}
    if kind not in accepted and not delivery.rules.open_unproven:
        return TaskOutcome(patch_word(kind), comment_texts.unproven_comment(outcome))
    draft = build_draft(outbox, asked.base, tree, outcome, asked.number if asked.kind == "fix" else 0)
    if draft.tree != tree and (findings := _check_patch(delivery, draft.tree)).refused:
        return TaskOutcome("refused", comment_texts.refused_comment(findings.refused, outcome))
    at = int(datetime.fromisoformat(asked.at).timestamp())
    commit = outbox.commit(draft.tree, asked.base, draft.message, at, _author(delivery.rules))
    try:
        if asked.kind == "follow-up":
            return _push_commit(delivery, commit)
        return _open_pull(delivery, commit, draft, findings.flagged)
    except (BranchMoved, TriggerSkipped) as reason:
        return TaskOutcome("skipped", comment_texts.withheld_comment(str(reason), outcome))


def _check_patch(delivery: Delivery, tree: str) -> PatchFindings:
    size, most, secrets = len(delivery.diff), delivery.rules.max_patch, known_secrets(os.environ)
    return check_patch(delivery.outbox, delivery.asked.base, tree, size, most, secrets)


def _open_pull(delivery: Delivery, commit: str, draft: PullRequestDraft, flagged: Mapping[str, str]) -> TaskOutcome:
    """Create a branch and its pull request, or return those that an earlier attempt created."""
    asked, place, outbox = delivery.asked, delivery.place, delivery.outbox
    owner = asked.repository.partition("/")[0]
    branch, there = _branch(delivery, commit)
    head = f"{owner}:{branch}"
    if there and (pull := pull_from(place, head, commit)):
        if pull.state != "open":
            raise TriggerSkipped(f"#{pull.number} with the same patch was closed.")
        text = comment_texts.opened_comment(pull.number, delivery.outcome, _ci_note(delivery))
        return TaskOutcome("pull", text, pull.number, commit=commit)
    _check_open(delivery)
    check_free(place, delivery.address.server, asked.repository, asked.number, delivery.rules)
    notes = [*_ci_note(delivery), *_conflict_note(delivery)]
    policies = [f"The project's policy on AI: {url}" for url in asked.policies]
    text = draft.text(flagged, [*notes, *policies])
    if delivery.rules.dry_run:
        shown = f"{code(branch)} into {code(asked.target)}: {code(draft.title)}\n\n{text}"
        return TaskOutcome("pull", "This would be a draft pull request.", shown=shown)
    if not there:
        push(outbox, commit, branch, delivery.url, delivery.address.token)
    opened = open_pull(place, head, asked.target, draft.title, text)
    notes += [opened.note] if opened.note else []
    text = comment_texts.opened_comment(opened.number, delivery.outcome, notes)
    return TaskOutcome("pull", text, opened.number, commit=commit)


def _branch(delivery: Delivery, commit: str) -> tuple[str, bool]:
    """Return the first branch name that is free or already points to this commit, and whether the branch exists."""
    for name in islice(branches(delivery.asked.number), MOST_BRANCHES):
        at = branch_tip(delivery.outbox, name, delivery.url, delivery.address.token)
        if at in ("", commit):
            return name, bool(at)
    raise TriggerSkipped(f"#{delivery.asked.number} already has {MOST_BRANCHES} branches.")


def _check_open(delivery: Delivery) -> None:
    """Raise TriggerSkipped if the issue was closed since the request."""
    with translate_errors(f"read #{delivery.asked.number}", "issues: read"):
        if delivery.place.get_issue(delivery.asked.number).state != "open":
            raise TriggerSkipped(f"#{delivery.asked.number} was closed meanwhile.")


def _push_commit(delivery: Delivery, commit: str) -> TaskOutcome:
    """Push a commit to the pull request's branch, unless the branch changed meanwhile."""
    asked, outcome, token = delivery.asked, delivery.outcome, delivery.address.token
    if not issue_of_branch(asked.branch):
        raise UsageError(f"{code(asked.branch)} is not a branch of the Action.", "Run the whole workflow again.")
    at = branch_tip(delivery.outbox, asked.branch, delivery.url, token)
    if at != commit:
        with translate_errors(f"read #{asked.number}", "pull-requests: read"):
            pull = delivery.place.get_pull(asked.number)
            if pull.state != "open":
                raise TriggerSkipped(f"#{asked.number} was {'merged' if pull.merged else 'closed'} meanwhile.")
        if at != asked.base:
            raise TriggerSkipped(
                f"{code(asked.branch)} has new commits meanwhile." if at else f"{code(asked.branch)} was deleted."
            )
        if not delivery.rules.dry_run:
            push(delivery.outbox, commit, asked.branch, delivery.url, token, new=False)
    text = comment_texts.committed_comment(commit, asked.branch, outcome, _ci_note(delivery))
    return TaskOutcome("commit", text, asked.number, commit=commit)


def _author(rules: Rules) -> tuple[str, str]:
    return rules.bot, OWN_ADDRESS if rules.bot == OWN_TOKEN else f"{rules.bot}@users.noreply.github.com"


def _ci_note(delivery: Delivery) -> list[str]:
    """Return a note if CI does not start without approval."""
    return [comment_texts.APPROVAL] if delivery.rules.bot == OWN_TOKEN else []


def _conflict_note(delivery: Delivery) -> Iterator[str]:
    """Yield a note if the patch no longer applies to the target branch."""
    asked, outbox, token = delivery.asked, delivery.outbox, delivery.address.token
    now = branch_tip(outbox, asked.target, delivery.url, token)
    if not now:
        raise TriggerSkipped(f"The branch {code(asked.target)} was deleted.")
    if now == asked.base:
        return
    try:
        fetch_commit(outbox, now, delivery.url, token)
        outbox.tree(now, delivery.diff)
    except UsageError:
        yield f"{code(asked.target)} has new commits meanwhile, and the patch does not apply to it without conflicts."
    except SweAgentError:
        pass  # GitHub also shows whether the pull request conflicts
