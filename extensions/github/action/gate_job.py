"""The gate job: decide whether to act on an event, and write the task for the next jobs if so.

It uses no model and runs no code of the repository. People without the right to make requests get no answer; only the
workflow run's page shows the reason. Other people find the reason in the Action's comment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.inputs.github_urls import Address
from extensions.github.action.discussion_snapshot import Discussion, issue_at_request, thread_at_request, thread_root
from extensions.github.action.failed_ci import check_attempts, collect_logs, find_failed_run
from extensions.github.action.job_outputs import summarise, write_outputs
from extensions.github.action.previous_runs import find_parent_run, request_time
from extensions.github.action.pull_request_limits import check_free
from extensions.github.action.spend_reservations import (
    charges_of,
    check_alone,
    check_unhandled,
    remaining_budget,
    reserve,
)
from extensions.github.action.status_comment import StatusComment, find, update_comment
from extensions.github.action_inputs import Rules, load_rules, own_repository, workflow_attempt, workflow_run
from extensions.github.api.github_client import repository, translate_errors
from extensions.github.api.github_issue import comment_of, issue_of
from extensions.github.api.hidden_text import visible_text
from extensions.github.follow_up_turns import CI_REQUEST
from extensions.github.missing_permissions import explain_permission
from extensions.github.pull_request.pull_request_body import price
from extensions.github.task.policy_files import check_policies
from extensions.github.task.requesters import Rights, check_requester
from extensions.github.task.task_request import TaskRequest, write
from extensions.github.task.task_subject import Subject, skip_if_missing, subject_of
from extensions.github.task.task_text import ANSWER_ROLE
from extensions.github.task.trigger_event import CI_EVENT, Trigger, TriggerSkipped, event_name, read_trigger
from extensions.github.text_escaping import escape_markdown
from trajectories.errors import SweAgentError
from trajectories.records import Comment, Issue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from github.Repository import Repository

    from extensions.github.ci.ci_runs import CiRun
    from trajectories.records import Trust

NOT_DONE = "**Not started.** "
BEGINNINGS = (NOT_DONE, "**Not worked on.** ")
"""Prefixes of comments on refused requests, including the prefix that earlier versions used."""
RULE = "\n\n---\n\n"


@dataclass(frozen=True, slots=True)
class Gate:
    """The repository (its URL and PyGithub's object), the owner's rules and the users' rights."""

    here: Address
    place: Repository
    rules: Rules
    rights: Rights

    @property
    def run(self) -> str:
        """A link to the workflow run."""
        return f"[Workflow run]({self.here.url}/actions/runs/{workflow_run()})" if workflow_run() else ""

    @classmethod
    def open(cls) -> Gate:
        rules, here = load_rules(), own_repository()
        place = repository(here)
        return cls(here, place, rules, Rights(place))


def decide(out: Path) -> int:
    """Decide whether to act; if so, write the task to `out`, reserve its budget and set the job's outputs.

    Returns 0 even if there is nothing to do. Raises SweAgentError if a request to GitHub fails; then nothing is done.
    """
    gate = Gate.open()
    try:
        return _decide(gate, out)
    except SweAgentError as error:
        explained = explain_permission(error, gate.rules)
        summarise(f"The gate failed, so nothing is done. {escape_markdown(f'{explained.message} {explained.fix}')}")
        write_outputs(go="false", reason=explained.message)
        raise explained from error


def _decide(gate: Gate, out: Path) -> int:
    failed: CiRun | None = None
    asked = False
    try:
        if event_name() == CI_EVENT:
            failed, trigger = find_failed_run(gate.place, gate.here.repository, gate.rules)
        else:
            trigger = read_trigger(gate.rules)
            asked = check_requester(trigger, gate.rules, gate.rights)
    except TriggerSkipped as skip:
        return _skip(str(skip))
    try:
        task, note = _create_task(gate, trigger, asked, failed)
    except TriggerSkipped as skip:
        if (asked or failed) and not gate.rules.dry_run:
            _answer(gate, trigger, str(skip))
        return _skip(str(skip))
    digest = write(task, out)
    reason = "CI failed." if failed else f"{task.asked_by} {'opened' if trigger.kind == 'opened' else 'asked for'} it."
    summarise(f"Starting work on #{task.number}. {reason} {note}".strip())
    write_outputs(
        go="true",
        reason=reason,
        base=task.base,
        digest=digest,
        parent_run=task.parent_run,
    )
    return 0


def _create_task(gate: Gate, trigger: Trigger, asked: bool, failed: CiRun | None) -> tuple[TaskRequest, str]:
    """Return the task and a note on it; `failed` is the CI run that triggers it, if no person requested it.

    Raises TriggerSkipped with the reason if the task should not be done.
    """
    name, place = gate.here.repository, gate.place
    subject = subject_of(place, name, trigger, gate.rules)
    trigger = request_time(place, trigger)
    stickies = charges_of(place, dict.fromkeys((trigger.number, subject.issue)), gate.rules.bot)
    if trigger.number not in stickies:
        raise TriggerSkipped(f"#{trigger.number} no longer exists.")
    if trigger.kind in ("labelled", "opened"):
        check_unhandled(stickies.values(), trigger.at)
    check_alone(stickies.values(), gate.rules)
    if failed:
        check_attempts(stickies[trigger.number], gate.rules)
    if subject.pull is None:
        check_free(place, gate.here.server, name, subject.issue, gate.rules)
    base, target = _base(place, subject)
    policies = check_policies(place, gate.here, base, asked=asked)
    issue, thread, discussion = _texts(gate, trigger, subject)
    pull = subject.pull
    asked_before = any(one.asked for one in stickies[trigger.number].charges)
    if trigger.is_answer:
        _check_open_question(stickies[trigger.number])
        thread = (_answer_comment(trigger, rights=gate.rights),)
    logs = collect_logs(place, gate.here, failed, pull) if failed and pull else ()
    task = TaskRequest(
        kind="follow-up" if pull else "fix",
        repository=name,
        number=trigger.number,
        issue=issue,
        asked_by=trigger.actor,
        at=trigger.at,
        base=base,
        target=target,
        budget=remaining_budget(place, stickies.values(), gate.rules),
        request=CI_REQUEST if failed else "" if trigger.is_answer else trigger.request,
        branch=pull.head.ref if pull else "",
        thread=thread,
        parent_run=_parent_run(gate, trigger, pull is not None, stickies),
        reply_to=thread_root(trigger),
        policies=policies,
        attempt=workflow_attempt(),
        logs=logs,
        ci_run=f"{gate.here.url}/actions/runs/{failed.id}" if failed else "",
        may_ask=gate.rules.ask != "nobody" and pull is None and not (asked_before or gate.rules.dry_run),
        is_answer=trigger.is_answer,
    )
    if not gate.rules.dry_run:
        text = _working_text(task, discussion, gate.run)
        reserve(place, stickies[trigger.number], text, task.budget, gate.rules, ci=failed is not None)
    note = "" if task.parent_run or not pull else "No journal of its run was found: it starts from the current state."
    return task, f"{discussion.note} {note}".strip()


def _base(place: Repository, subject: Subject) -> tuple[str, str]:
    """Return the commit to start from, and the branch that a pull request is to be merged into."""
    if subject.pull is not None:
        return subject.pull.head.sha, subject.pull.base.ref
    with translate_errors("read the repository"):
        target = place.default_branch
    with (
        skip_if_missing("The repository has no commit yet."),
        translate_errors(f"read the branch {target}", "contents: read"),
    ):
        return place.get_branch(target).commit.sha, target


def _texts(gate: Gate, trigger: Trigger, subject: Subject) -> tuple[Issue, tuple[Comment, ...], Discussion]:
    """Return the issue (for a pull request, its own title and text), the thread to answer, and the discussion."""
    if trigger.kind == "ci":  # no one asked a question
        return replace(issue_of(subject.data), trust="stranger"), (), Discussion(())
    if subject.pull is not None:
        thread = thread_at_request(gate.here, trigger, gate.rights, gate.rules)
        return replace(issue_of(subject.data), trust="stranger"), thread.comments, thread
    issue, discussion = issue_at_request(gate.here, subject.data, trigger, gate.rights, gate.rules)
    if not issue.title and not visible_text(str(subject.data.get("body") or "")).text.strip():
        raise TriggerSkipped(f"#{trigger.number} is empty.")
    return issue, (), discussion


def _parent_run(gate: Gate, trigger: Trigger, on_pull: bool, stickies: Mapping[int, StatusComment]) -> str:
    """Return the number of the workflow run whose journal the task continues; "" if there is none."""
    if not (on_pull or trigger.is_answer):
        return ""
    pull = trigger.number if on_pull else 0
    return find_parent_run(gate.place, gate.here.repository, pull, stickies, asked=trigger.is_answer)


def _check_open_question(sticky: StatusComment) -> None:
    """Raise TriggerSkipped if the last run on the issue did not end with a question; runs without a result do not
    count."""
    last = max((one for one in sticky.charges if one.spent is not None), key=lambda one: one.at, default=None)
    if last is None or not last.asked:
        raise TriggerSkipped(f"No question is open on #{sticky.number}.")


def _answer_comment(trigger: Trigger, rights: Rights) -> Comment:
    """Return the comment that answers the model's questions, without the command."""
    assert trigger.comment is not None
    trust: Trust = "member" if rights.may_write(trigger.actor, trigger.actor_id) else "stranger"
    text = visible_text(trigger.request).text
    return replace(comment_of(trigger.comment), body=text, trust=trust, about=ANSWER_ROLE)


def _working_text(task: TaskRequest, discussion: Discussion, run: str) -> str:
    """Return the status comment's text for a run in progress."""
    what = "the follow-up" if task.kind == "follow-up" else "this issue"
    status = f"Working on {what}, requested by {escape_markdown(task.asked_by)}, with a budget of {price(task.budget)}."
    if task.ci_run:
        status = f"Working on [failed CI]({task.ci_run}), with a budget of {price(task.budget)}."
    return "\n\n".join(filter(None, [status, discussion.note, run]))


def _answer(gate: Gate, trigger: Trigger, reason: str) -> None:
    """Show in the status comment why nothing is done, above its current text. If this fails, the error is only
    reported."""
    try:
        sticky = find(gate.place, trigger.number, gate.rules.bot)
        before = sticky.text.partition(RULE)[2] if sticky.text.startswith(BEGINNINGS) else sticky.text
        why = "CI failed" if trigger.kind == "ci" else f"{escape_markdown(trigger.actor)} asked"
        asked = f"{NOT_DONE}{why}, but: {escape_markdown(reason)}"
        update_comment(
            gate.place, sticky, "\n\n".join([asked, gate.run]).strip() + (f"{RULE}{before}" if before else "")
        )
    except SweAgentError as error:
        summarise(f"The status comment could not be updated: {error.message} {error.fix}")


def _skip(reason: str) -> int:
    summarise(f"Nothing to do. {escape_markdown(reason)}")
    write_outputs(go="false", reason=reason)
    return 0
