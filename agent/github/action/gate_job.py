"""Decides whether to work on what an event asks for, and hands on an errand if so. Without a model, or any code of the
repository's.

Who may not ask is not answered: only the run's page says why. Others read it in the Action's comment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.github.address import Address, own_repository
from agent.github.askers import Rights, admit
from agent.github.assembling import Discussion, issue_as_of, thread_as_of, thread_root
from agent.github.body import price
from agent.github.busy import check_free
from agent.github.client import asking, repository
from agent.github.errand import Errand, write
from agent.github.hidden import shown
from agent.github.holding import begin, charges_of, check_alone, check_unasked, left
from agent.github.issue import issue_of
from agent.github.missing import explained
from agent.github.neutral import neutral
from agent.github.outputs import summarise, tell
from agent.github.parents import asked_at, parent_run
from agent.github.policies import check_policies
from agent.github.rules import Rules, load_rules, workflow_attempt, workflow_run
from agent.github.sticky import find, put
from agent.github.subject import Subject, gone, subject_of
from agent.github.trigger import Skipped, Trigger, triggered
from trajectories.errors import SweAgentError
from trajectories.records import Comment, Issue

if TYPE_CHECKING:
    from github.Repository import Repository

NOT_DONE = "**Not worked on.** "
RULE = "\n\n---\n\n"


@dataclass(frozen=True, slots=True)
class Gate:
    """The repository, by its address and for asking; what its owner allows; who has which rights."""

    here: Address
    place: Repository
    rules: Rules
    rights: Rights

    @property
    def run(self) -> str:
        """A link to the workflow's run."""
        return f"[The run]({self.here.url}/actions/runs/{workflow_run()})" if workflow_run() else ""

    @classmethod
    def open(cls) -> Gate:
        rules, here = load_rules(), own_repository()
        place = repository(here)
        return cls(here, place, rules, Rights(place))


def decide(out: Path) -> int:
    """Decide, write the errand to `out`, hold its budget, and tell the next jobs. Returns 0 also where nothing is to be
    done. Raises SweAgentError where GitHub did not say what is needed: then nothing is to be done, either."""
    gate = Gate.open()
    try:
        return _decided(gate, out)
    except SweAgentError as error:
        told = explained(error, gate.rules)
        summarise(f"Nothing is done, for it could not be decided. {neutral(f'{told.message} {told.fix}')}")
        tell(go="false", reason=told.message)
        raise told from error


def _decided(gate: Gate, out: Path) -> int:
    try:
        trigger = triggered(gate.rules)
        answerable = admit(trigger, gate.rules, gate.rights)
    except Skipped as skipped:
        return _skipped(str(skipped))
    try:
        errand, note = _let_through(gate, trigger, answerable)
    except Skipped as skipped:
        if answerable and not gate.rules.dry_run:
            _answer(gate, trigger, str(skipped))
        return _skipped(str(skipped))
    digest = write(errand, out)
    reason = f"{errand.asked_by} {'opened' if trigger.kind == 'opened' else 'asked for'} it."
    summarise(f"To be worked on: #{errand.number}. {reason} {note}".strip())
    tell(
        go="true",
        reason=reason,
        base=errand.base,
        digest=digest,
        parent_run=errand.parent_run,
    )
    return 0


def _let_through(gate: Gate, trigger: Trigger, asked: bool) -> tuple[Errand, str]:
    """The errand, and what is to be said of it. Raises Skipped with what speaks against it."""
    name, place = gate.here.repository, gate.place
    subject = subject_of(place, name, trigger, gate.rules)
    trigger = asked_at(place, trigger)
    stickies = charges_of(place, dict.fromkeys((trigger.number, subject.issue)), gate.rules.bot)
    if trigger.number not in stickies:
        raise Skipped(f"#{trigger.number} is gone.")
    if trigger.kind in ("labelled", "opened"):
        check_unasked(stickies.values(), trigger.at)
    check_alone(stickies.values(), gate.rules)
    if subject.pull is None:
        check_free(place, gate.here.server, name, subject.issue, gate.rules)
    base, target = _base(place, subject)
    policies = check_policies(place, gate.here, base, asked=asked)
    issue, thread, discussion = _texts(gate, trigger, subject)
    pull = subject.pull
    errand = Errand(
        kind="follow-up" if pull else "fix",
        repository=name,
        number=trigger.number,
        issue=issue,
        asked_by=trigger.actor,
        at=trigger.at,
        base=base,
        target=target,
        budget=left(place, stickies.values(), gate.rules),
        request=trigger.request,
        branch=pull.head.ref if pull else "",
        thread=thread,
        parent_run=parent_run(place, name, trigger.number, stickies) if pull else "",
        reply_to=thread_root(trigger),
        policies=policies,
        attempt=workflow_attempt(),
    )
    if not gate.rules.dry_run:
        begin(place, stickies[trigger.number], _working(errand, discussion, gate.run), errand.budget, gate.rules)
    afresh = (
        "No journal of it is known: it begins with the pull request as it is." if pull and not errand.parent_run else ""
    )
    return errand, f"{discussion.note} {afresh}".strip()


def _base(place: Repository, subject: Subject) -> tuple[str, str]:
    """The commit to start from, and the branch that a pull request asks to be merged into."""
    if subject.pull is not None:
        return subject.pull.head.sha, subject.pull.base.ref
    with asking("read the repository"):
        target = place.default_branch
    with gone("The repository has no commit yet."), asking(f"read the branch {target}", "contents: read"):
        return place.get_branch(target).commit.sha, target


def _texts(gate: Gate, trigger: Trigger, subject: Subject) -> tuple[Issue, tuple[Comment, ...], Discussion]:
    """The issue, or the pull request's own title and text; what is to be answered there; what was left out."""
    if subject.pull is not None:
        thread = thread_as_of(gate.here, trigger, gate.rights, gate.rules)
        return replace(issue_of(subject.data), trust="stranger"), thread.comments, thread
    issue, discussion = issue_as_of(gate.here, subject.data, trigger, gate.rights, gate.rules)
    if not issue.title and not shown(str(subject.data.get("body") or "")).text.strip():
        raise Skipped(f"#{trigger.number} is empty.")
    return issue, (), discussion


def _working(errand: Errand, discussion: Discussion, run: str) -> str:
    """What is shown until the run is published."""
    what = "the request" if errand.kind == "follow-up" else "this issue"
    told = f"At work on {what}, as {neutral(errand.asked_by)} asked, for at most {price(errand.budget)}."
    return "\n\n".join(filter(None, [told, discussion.note, run]))


def _answer(gate: Gate, trigger: Trigger, reason: str) -> None:
    """Say in our comment why nothing is done, above what it says already. That this fails changes nothing."""
    try:
        sticky = find(gate.place, trigger.number, gate.rules.bot)
        before = sticky.text.partition(RULE)[2] if sticky.text.startswith(NOT_DONE) else sticky.text
        asked = f"{NOT_DONE}{neutral(trigger.actor)} asked, but: {neutral(reason)}"
        put(gate.place, sticky, "\n\n".join([asked, gate.run]).strip() + (f"{RULE}{before}" if before else ""))
    except SweAgentError as error:
        summarise(f"This could not be said on GitHub: {error.message} {error.fix}")


def _skipped(reason: str) -> int:
    summarise(f"Nothing is done. {neutral(reason)}")
    tell(go="false", reason=reason)
    return 0
