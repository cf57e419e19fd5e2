"""A patch that may be published comes to its place: a pull request for a fix, a commit for a follow-up.

Each looks before it acts. What a run makes of its patch the same job would make again, to the commit's id: so one that
is run once more goes on where it died, and makes nothing twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from aci.outbox import Outbox
from aci.pushing import Moved, fetch, push, tip
from agent.engine import known_secrets
from agent.github import comments
from agent.github.busy import check_free
from agent.github.checking import Findings, judge
from agent.github.client import asking
from agent.github.missing import OWN_TOKEN
from agent.github.neutral import code, neutral
from agent.github.pull import branches, open_pull, pull_from
from agent.github.subject import issue_of_branch
from agent.github.trigger import Skipped
from agent.github.writing import Draft, drafted
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from github.Repository import Repository

    from agent.github.address import Address
    from agent.github.errand import Errand
    from agent.github.handover import Outcome
    from agent.github.rules import Rules

MOST_BRANCHES = 20
OWN_ADDRESS = "41898282+github-actions[bot]@users.noreply.github.com"
"""Of the user that a workflow's own token acts as."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an errand ended: in a word for the workflow, and in the `text` of the comment. `pull` is the number of the
    pull request that there is now, `shown` what a dry run would have written."""

    word: str
    text: str
    pull: int = 0
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Placing:
    """What is to be placed, and where; `outbox` sees the commit `asked.base`."""

    outbox: Outbox
    place: Repository
    address: Address
    rules: Rules
    asked: Errand
    outcome: Outcome
    diff: bytes

    @property
    def url(self) -> str:
        return f"{self.address.url}.git"


def place(placing: Placing) -> Ended:
    """Publish the patch, or say why it is not. Raises what GitHub and git refuse."""
    asked, outcome, outbox = placing.asked, placing.outcome, placing.outbox
    if not outbox.has(asked.base):
        fetch(outbox, asked.base, placing.url, placing.address.token)
    try:
        tree = outbox.tree(asked.base, placing.diff)
    except UsageError as error:
        return Ended("refused", comments.refused((neutral(error.message),), outcome))
    findings = _judged(placing, tree)
    if findings.refused:
        return Ended("refused", comments.refused(findings.refused, outcome))
    if outcome.exit != 0 and not placing.rules.open_unproven:
        return Ended("unproven", comments.unproven(outcome))
    draft = drafted(outbox, asked.base, tree, outcome, asked.number if asked.kind == "fix" else 0)
    if draft.tree != tree and (findings := _judged(placing, draft.tree)).refused:
        return Ended("refused", comments.refused(findings.refused, outcome))
    at = int(datetime.fromisoformat(asked.at).timestamp())
    commit = outbox.commit(draft.tree, asked.base, draft.message, at, _author(placing.rules))
    try:
        if asked.kind == "follow-up":
            return _continued(placing, commit)
        return _opened(placing, commit, draft, findings.flagged)
    except (Moved, Skipped) as reason:
        return Ended("skipped", comments.withheld(str(reason), outcome))


def _judged(placing: Placing, tree: str) -> Findings:
    size, most, secrets = len(placing.diff), placing.rules.max_patch, known_secrets(os.environ)
    return judge(placing.outbox, placing.asked.base, tree, size, most, secrets)


def _opened(placing: Placing, commit: str, draft: Draft, flagged: Mapping[str, str]) -> Ended:
    """A new branch and its pull request; or those that an earlier try made."""
    asked, place, outbox = placing.asked, placing.place, placing.outbox
    owner = asked.repository.partition("/")[0]
    branch, there = _branch(placing, commit)
    head = f"{owner}:{branch}"
    if there and (pull := pull_from(place, head, commit)):
        if pull.state != "open":
            raise Skipped(f"#{pull.number} with this very patch was closed.")
        return Ended("pull", comments.opened(pull.number, placing.outcome, _waits(placing)), pull.number)
    _check_open(placing)
    check_free(place, placing.address.server, asked.repository, asked.number, placing.rules)
    notes = [*_waits(placing), *_gone_on(placing)]
    policies = [f"The project's policy on AI: {url}" for url in asked.policies]
    text = draft.text(flagged, [*notes, *policies])
    if placing.rules.dry_run:
        shown = f"{code(branch)} into {code(asked.target)}: {code(draft.title)}\n\n{text}"
        return Ended("pull", "This would be a draft pull request.", shown=shown)
    if not there:
        push(outbox, commit, branch, placing.url, placing.address.token)
    opened = open_pull(place, head, asked.target, draft.title, text)
    notes += [opened.said] if opened.said else []
    return Ended("pull", comments.opened(opened.number, placing.outcome, notes), opened.number)


def _branch(placing: Placing, commit: str) -> tuple[str, bool]:
    """The first name that is free, or that has this very commit; and whether it has."""
    for name in islice(branches(placing.asked.number), MOST_BRANCHES):
        at = tip(placing.outbox, name, placing.url, placing.address.token)
        if at in ("", commit):
            return name, bool(at)
    raise Skipped(f"There are {MOST_BRANCHES} branches for #{placing.asked.number} already.")


def _check_open(placing: Placing) -> None:
    """Raises Skipped where the issue was closed since it was asked for."""
    with asking(f"read #{placing.asked.number}", "issues: read"):
        if placing.place.get_issue(placing.asked.number).state != "open":
            raise Skipped(f"#{placing.asked.number} was closed meanwhile.")


def _continued(placing: Placing, commit: str) -> Ended:
    """A commit on top of the pull request's branch, where that is as it was."""
    asked, outcome, token = placing.asked, placing.outcome, placing.address.token
    if not issue_of_branch(asked.branch):
        raise UsageError(f"{code(asked.branch)} is no branch of the Action's.", "Run the whole workflow again.")
    at = tip(placing.outbox, asked.branch, placing.url, token)
    if at != commit:
        with asking(f"read #{asked.number}", "pull-requests: read"):
            pull = placing.place.get_pull(asked.number)
            if pull.state != "open":
                raise Skipped(f"#{asked.number} was {'merged' if pull.merged else 'closed'} meanwhile.")
        if at != asked.base:
            raise Skipped(f"{code(asked.branch)} went on meanwhile." if at else f"{code(asked.branch)} is gone.")
        if not placing.rules.dry_run:
            push(placing.outbox, commit, asked.branch, placing.url, token, new=False)
    return Ended("commit", comments.committed(commit, asked.branch, outcome, _waits(placing)), asked.number)


def _author(rules: Rules) -> tuple[str, str]:
    return rules.bot, OWN_ADDRESS if rules.bot == OWN_TOKEN else f"{rules.bot}@users.noreply.github.com"


def _waits(placing: Placing) -> list[str]:
    """What is to be known of CI."""
    return [comments.APPROVAL] if placing.rules.bot == OWN_TOKEN else []


def _gone_on(placing: Placing) -> Iterator[str]:
    """Whether the patch still fits the branch that it is for."""
    asked, outbox, token = placing.asked, placing.outbox, placing.address.token
    now = tip(outbox, asked.target, placing.url, token)
    if not now:
        raise Skipped(f"The branch {code(asked.target)} is gone.")
    if now == asked.base:
        return
    try:
        fetch(outbox, now, placing.url, token)
        outbox.tree(now, placing.diff)
    except UsageError:
        yield f"{code(asked.target)} went on meanwhile, and the patch does not fit it any more as it is."
    except SweAgentError:
        pass  # whether it conflicts is shown by GitHub, too
