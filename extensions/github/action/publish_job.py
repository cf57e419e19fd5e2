"""The publish job, the last one of the Action: publish a task's result on GitHub, or report why not.

It has a token with write access but no API key for a model, and runs no code of the repository. It trusts the gate's
task but not the solve job's result.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.user_repository import Repository
from agent.inputs.github_urls import Address
from extensions.github.action import status_comment
from extensions.github.action.job_outputs import summarise, write_outputs
from extensions.github.action.patch_publication import Delivery, TaskOutcome, publish_patch
from extensions.github.action.review_reply import reply
from extensions.github.action_inputs import Rules, load_rules, own_repository, workflow_run
from extensions.github.api.github_client import repository
from extensions.github.missing_permissions import explain_permission
from extensions.github.pull_request import comment_texts
from extensions.github.pull_request.publish_store import open_publish_store
from extensions.github.task import result_file, task_request
from extensions.github.task.result_file import Outcome
from extensions.github.task.secret_masking import mask_keys
from trajectories.errors import SweAgentError, UsageError
from trajectories.verdict import COMPLETE, PROVEN

if TYPE_CHECKING:
    import github.Repository

    from extensions.github.task.task_request import TaskRequest

AGAIN = "Run the whole workflow again."
MOST_OVER = 5
"""A run's reported cost is capped at this multiple of its budget, because a higher cost would only block other runs."""


def publish(asked: Path, digest: str, handed: Path | None, handed_digest: str, repo: Path) -> int:
    """Publish the result of the task in the file `asked`, which must have the digest from the gate job; return 0 on
    success.

    `handed` is the result file; None if the solve job left none. Raises UsageError if the gate job did not write the
    task. Errors of GitHub and git are reported on GitHub if possible and then raised, such as ConfigError with the
    missing permission or setting, or TryLater.
    """
    known, rules, address = task_request.read(asked, digest), load_rules(), own_repository()
    if known.repository.casefold() != address.repository.casefold():
        raise UsageError(f"The task is for {known.repository}, not {address.repository}.", AGAIN)
    there, outcome, failed = repository(address), None, None
    try:
        outcome, diff = _result(handed, handed_digest, known, digest)
        outcome = outcome and _mask_outcome(outcome)
        ended = _publish_outcome(repo, there, address, rules, known, outcome, diff)
    except SweAgentError as error:
        failed = explain_permission(error, rules)
        ended = TaskOutcome("error", comment_texts.failed_comment(failed.message, failed.fix, outcome))
    if known.kind == "follow-up":
        ended = replace(ended, pull=known.number)
    write_outputs(outcome=ended.word, pull=str(ended.pull or ""))
    dry = "Dry run: nothing is written to GitHub." if rules.dry_run else ""
    summarise("\n\n".join(filter(None, [dry, f"{ended.text} {_requester(known)}", ended.shown])))
    if not rules.dry_run:
        try:
            _report(there, rules, known, outcome, ended)
        except SweAgentError as error:
            raise (failed or explain_permission(error, rules)) from error
    if failed:
        raise failed
    return 0


def _result(file: Path | None, digest: str, asked: TaskRequest, task_digest: str) -> tuple[Outcome | None, bytes]:
    """Return the result if it belongs to this task and is consistent. Raises UsageError otherwise."""
    if file is None:
        return None, b""
    outcome, diff = result_file.unpack(file, digest)
    if (outcome.errand, outcome.base) != (task_digest, asked.base):
        raise UsageError("The result file belongs to another task.", AGAIN)
    kind = outcome.result["verdict"]["kind"]
    answers = asked.kind == "follow-up" and not diff
    if (outcome.exit == 0 and not answers and not (kind in COMPLETE and diff)) or (
        outcome.exit == 6 and kind in PROVEN
    ):
        raise UsageError("The result file is inconsistent: its exit, its verdict and its patch do not agree.", AGAIN)
    return outcome, diff


def _mask_outcome(outcome: Outcome) -> Outcome:
    """Return the outcome with keys masked, because it becomes public."""
    return Outcome(**{field.name: mask_keys(getattr(outcome, field.name)) for field in fields(outcome)})


def _publish_outcome(
    repo: Path,
    there: github.Repository.Repository,
    address: Address,
    rules: Rules,
    asked: TaskRequest,
    outcome: Outcome | None,
    diff: bytes,
) -> TaskOutcome:
    """Publish the outcome and return how the task ended."""
    if outcome is None:
        return TaskOutcome("died", comment_texts.missing_result_comment())
    if outcome.questions and asked.may_ask:
        return TaskOutcome("asked", comment_texts.questions_comment(outcome, rules.ask == "author"))
    if outcome.exit in (0, 6) and diff:
        with open_publish_store(Repository.open(repo)) as box:
            return publish_patch(Delivery(box, there, address, rules, asked, outcome, diff))
    if outcome.exit == 0:
        return TaskOutcome("answer", comment_texts.answered_comment(outcome))
    if outcome.exit in (1, 4, 6):
        return TaskOutcome(
            "budget" if outcome.exit == 4 else "none", comment_texts.not_fixed_comment(outcome, bool(diff))
        )
    return TaskOutcome("error", comment_texts.stopped_comment(outcome))


def _report(
    there: github.Repository.Repository, rules: Rules, asked: TaskRequest, outcome: Outcome | None, ended: TaskOutcome
) -> None:
    """Post the answer where it was requested, and update the status comment with the result and its cost."""
    text, failed = ended.text, None
    if asked.kind == "follow-up" and not asked.ci_run:
        try:
            text = f"{comment_texts.ANSWERED_HERE}: {reply(there, asked, rules.bot, text)}."
        except SweAgentError as error:
            failed = error  # the status comment then holds the answer
    text = f"{text} {_requester(asked)}"
    known = status_comment.find(there, asked.number, rules.bot)
    if outcome is None:  # the cost is unknown, so the reservation counts
        status_comment.update_comment(there, known, text)
    else:
        dollars = outcome.result["usage"]["dollars"]
        spent = asked.budget if dollars is None else min(dollars, MOST_OVER * asked.budget)
        is_open = asked.is_answer and ended.word == "error"  # the question can be answered again
        status_comment.settle(
            there,
            known,
            text,
            workflow_run(),
            spent,
            pull=ended.pull,
            journal=bool(outcome.result["run"]) and not is_open,
            pushed=ended.commit,
            asked=is_open or ended.word == "asked",
        )
    if failed:
        raise failed


def _requester(asked: TaskRequest) -> str:
    return comment_texts.requester_line(asked.asked_by, asked.ci_run)
